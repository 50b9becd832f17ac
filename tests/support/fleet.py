"""Operator processes of one test."""

from pathlib import Path

from support.eventually import eventually
from support.operators import OperatorProcess, condition
from support.reconcile_harness import ReconcileHarness


class Fleet:
    """Operators of one test, all ended with it."""

    def __init__(self, settings: dict[str, str], folder: Path) -> None:
        self._settings, self._folder = settings, folder
        self._started: list[OperatorProcess] = []

    def start(self, identity: str = "one", **settings: str) -> OperatorProcess:
        self._started.append(OperatorProcess(self._settings | settings, self._folder, identity))
        return self._started[-1]

    async def ready(self, identity: str = "one") -> OperatorProcess:
        made = self.start(identity)
        await eventually(made.is_ready, within=40, why="the operator leads")
        return made

    def stop(self) -> None:
        for operator in self._started:
            operator.stop()


async def ready(bench: ReconcileHarness) -> None:
    """Wait for the tenant, while its pods are played."""

    def is_ready() -> bool:
        bench.workloads.play()
        found = condition(bench.tenant(), "Ready")
        assert found.get("status") == "True", found
        return True

    await eventually(is_ready, within=40, why="the tenant is ready")
