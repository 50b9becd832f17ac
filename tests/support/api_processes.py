"""The api and the worker as processes that can be killed and started again."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.api import TenantDatabase, api_environment, environment, worker_values
from support.eventually import eventually
from support.processes import HOST, Process, accepts, free_port


class KillableProcess:
    """A role of the api that can be killed and started again at the same address; `port` is where it listens."""

    def __init__(self, role: str, port: int, settings: Mapping[str, str], folder: Path) -> None:
        self.port, self.log = port, folder / f"{role}.log"
        self._role, self._environment = role, settings
        self._process: Process | None = None

    async def start(self) -> None:
        argv = [sys.executable, "-m", "imghost_api", self._role]
        self._process = Process(argv, self.log, env=self._environment)
        await eventually(lambda: accepts(self.port), within=40, why=f"the {self._role} accepts connections")

    def kill(self) -> None:
        """End it now; nothing happens when it does not run."""
        if self._process:
            self._end(signal.SIGKILL)

    def stop(self, within: float = 10) -> int | None:
        """Exit status after SIGTERM."""
        return self._end(signal.SIGTERM, within)

    def _end(self, how: signal.Signals, within: float = 10) -> int | None:
        assert self._process
        self._process.stop(how, within)
        return self._process.exit_code


def api_process(tenant: TenantDatabase, store: Path, folder: Path, **changes: Any) -> KillableProcess:
    port = free_port()
    settings = api_environment(tenant, store, host=HOST, port=port, ops_port=free_port(), **changes)
    return KillableProcess("server", port, settings, folder)


def worker_process(tenant: TenantDatabase, store: Path, folder: Path, **changes: Any) -> KillableProcess:
    port = free_port()
    settings = environment(worker_values(tenant, store, host=HOST, ops_port=port, **changes))
    return KillableProcess("worker", port, settings, folder)
