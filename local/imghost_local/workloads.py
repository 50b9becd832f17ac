"""Deployments as supervised processes: as many as requested, replaced when the template changes, reported in status."""

import asyncio
import math
import time
from collections.abc import Callable
from typing import Any

from imghost_core import logs
from imghost_local.errors import UserError
from imghost_local.objects import Objects, now
from imghost_local.pods import Pod, PodContext
from imghost_operator.platform import Object, ObjectRef

_log = logs.get("imghost.local")


class Deployment:
    """Keeps the pods of one Deployment as its stored manifest says; calls `on_change` after its status changed."""

    def __init__(
        self, key: ObjectRef, objects: Objects, context: PodContext, on_change: Callable[[ObjectRef], None]
    ) -> None:
        self.key, self.pods = key, list[Pod]()
        self._objects, self._context, self._on_change = objects, context, on_change
        self._wake, self._tasks = asyncio.Event(), dict[Pod, asyncio.Task[None]]()
        self._endings: set[asyncio.Task[None]] = set()
        self._progress = (Any, 0.0)  # what is being rolled out, since when
        self._task = asyncio.create_task(self._run())

    def notify(self) -> None:
        """Reconcile with the stored manifest."""
        self._wake.set()

    async def close(self) -> None:
        """End all pods concurrently."""
        self._task.cancel()
        for pod in list(self._tasks):
            self._end(pod)
        await asyncio.gather(*self._endings)

    @property
    def _spec(self) -> Object:
        """Its spec; with an autoscaler, which needs a cluster's metrics, its minimum."""
        spec: Object = self._manifest["spec"]
        scaler = self._objects.get(ObjectRef("HorizontalPodAutoscaler", self.key.namespace, self.key.name))
        return {"replicas": scaler["spec"]["minReplicas"] if scaler else 1, **spec}

    @property
    def _manifest(self) -> Object:
        found = self._objects.get(self.key)
        assert found is not None  # noqa: S101 - a removed Deployment is closed first
        return found

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            self._step()
            self._report()
            try:
                await asyncio.wait_for(self._wake.wait(), 30)  # progress deadlines pass without any event
            except TimeoutError:
                continue

    def _step(self) -> None:
        spec = self._spec
        want, template = spec["replicas"], spec["template"]
        current = [pod for pod in self.pods if pod.template == template]
        old = sorted((pod for pod in self.pods if pod.template != template), key=lambda pod: pod.ready)
        surge, missing = allowance(spec)
        for _ in range(min(want - len(current), want + surge - len(self.pods))):
            self._begin(template)
        for pod in sorted(current, key=lambda pod: not pod.ready)[want:]:
            self._end(pod)
        spare = sum(pod.ready for pod in self.pods) - (want - missing)
        for pod in old:
            if not pod.ready or spare > 0:
                spare -= pod.ready
                self._end(pod)

    def _begin(self, template: Object) -> None:
        names = {pod.name for pod in self._tasks}
        name = next(name for number in range(10_000) if (name := f"{self.key.name}-{number}") not in names)
        try:
            pod = Pod(name, self.key.namespace, template, self._context, self._wake.set)
        except UserError as error:  # no address is left; this is tried again
            _log.error("a process could not be started", pod=name, detail=str(error))
            return
        self.pods.append(pod)
        self._tasks[pod] = asyncio.create_task(pod.keep_running())

    def _end(self, pod: Pod) -> None:
        if pod in self.pods:
            self.pods.remove(pod)
            task = asyncio.create_task(self._finish(pod))
            self._endings.add(task)
            task.add_done_callback(self._endings.discard)

    async def _finish(self, pod: Pod) -> None:
        pod.ending = True
        self._tasks[pod].cancel()
        await asyncio.wait([self._tasks[pod]])
        await pod.end()
        del self._tasks[pod]
        self._wake.set()

    def _report(self) -> None:
        manifest = self._manifest
        status = self._status(manifest)
        if status != {**manifest.get("status", {}), "conditions": _without_times(manifest.get("status", {}))}:
            timed = [condition | {"lastTransitionTime": now()} for condition in status["conditions"]]
            self._objects.put({**manifest, "status": {**status, "conditions": timed}})
            self._on_change(self.key)

    def _status(self, manifest: Object) -> dict[str, Any]:
        spec = self._spec
        want, (_, missing) = spec["replicas"], allowance(spec)
        ready = sum(pod.ready for pod in self.pods)
        updated = [pod for pod in self.pods if pod.template == spec["template"]]
        done = len(self.pods) == want and sum(pod.ready for pod in updated) == want
        return {
            "observedGeneration": manifest["metadata"]["generation"],
            "replicas": len(self.pods),
            "updatedReplicas": len(updated),
            "readyReplicas": ready,
            "availableReplicas": ready,
            "unavailableReplicas": max(0, want - ready),
            "conditions": [
                _available(ready >= want - missing, self.pods),
                self._progressing(manifest, done=done),
            ],
        }

    def _progressing(self, manifest: Object, *, done: bool) -> dict[str, str]:
        rolled, clock = manifest["metadata"]["generation"], time.monotonic()
        if done or self._progress[0] != rolled:
            self._progress = (rolled, clock)
        late = clock - self._progress[1] > manifest["spec"].get("progressDeadlineSeconds", 600)
        reason = "NewReplicaSetAvailable" if done else "ProgressDeadlineExceeded" if late else "ReplicaSetUpdated"
        words = {
            "NewReplicaSetAvailable": "All processes are up to date and ready.",
            "ProgressDeadlineExceeded": "Processes do not become ready. See `imghost logs`.",
            "ReplicaSetUpdated": "Processes are being started or replaced.",
        }
        return {
            "type": "Progressing",
            "status": "False" if reason == "ProgressDeadlineExceeded" else "True",
            "reason": reason,
            "message": words[reason],
        }


def allowance(spec: Object) -> tuple[int, int]:
    """How many pods there may be beyond the desired number, and how many may be missing, during a rollout.

    Percentages of surge round up and of unavailable round down; both are 25 % when not given (Kubernetes' rules).
    """
    rolling = spec.get("strategy", {}).get("rollingUpdate", {})
    surge = _amount(rolling.get("maxSurge", "25%"), spec["replicas"], math.ceil)
    missing = _amount(rolling.get("maxUnavailable", "25%"), spec["replicas"], math.floor)
    return (surge, missing) if surge or missing else (0, 1)


def _amount(value: int | str, replicas: int, rounded: Callable[[float], int]) -> int:
    return rounded(replicas * int(value.rstrip("%")) / 100) if isinstance(value, str) else value


def _available(available: bool, pods: list[Pod]) -> dict[str, str]:
    waiting = "; ".join(f"{pod.name} {pod.message}" for pod in pods if pod.message and not pod.ready)
    return {
        "type": "Available",
        "status": "True" if available else "False",
        "reason": "MinimumReplicasAvailable" if available else "MinimumReplicasUnavailable",
        "message": "Enough processes are ready." if available else f"Processes are not ready yet. {waiting}".strip(),
    }


def _without_times(status: Object) -> list[dict[str, str]]:
    return [
        {name: value for name, value in condition.items() if name != "lastTransitionTime"}
        for condition in status.get("conditions", [])
    ]
