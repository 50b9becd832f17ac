"""Jobs: a process that runs to completion, with a few retries, once."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from imghost_local.environment import MissingReference
from imghost_local.objects import Objects, now
from imghost_local.pods import Pod, PodContext
from imghost_operator.platform import Object, ObjectRef

_FIRST_PAUSE = 1.0


class Job:
    """Runs one Job. Afterwards its status has `succeeded: 1` and Complete, or Failed with the reason."""

    def __init__(
        self, key: ObjectRef, objects: Objects, context: PodContext, on_change: Callable[[ObjectRef], None]
    ) -> None:
        self.key, self.pod = key, None if is_finished(objects.get(key) or {}) else self._pod(key, objects, context)
        self._objects, self._on_change = objects, on_change
        self._task = asyncio.create_task(self._run()) if self.pod else None

    async def close(self) -> None:
        """Stop it in the middle; the next `up` starts it again."""
        if self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task])
        if self.pod:
            await self.pod.end()
            self.pod = None

    @staticmethod
    def _pod(key: ObjectRef, objects: Objects, context: PodContext) -> Pod:
        manifest = objects.get(key)
        assert manifest is not None  # noqa: S101 - made for a stored Job
        return Pod(key.name, key.namespace, manifest["spec"]["template"], context, lambda: None)

    async def _run(self) -> None:
        spec = self._manifest["spec"]
        started = now()
        self._report({"startTime": started, "active": 1})
        try:
            async with asyncio.timeout(spec.get("activeDeadlineSeconds")):
                failures = await self._attempts(spec.get("backoffLimit", 6))
        except TimeoutError:
            failure = _failed_condition("DeadlineExceeded", f"It ran longer than {spec['activeDeadlineSeconds']} s.")
            self._report({"startTime": started, "conditions": [failure]})
        else:
            self._report({"startTime": started, **failures})
        if self.pod:
            await self.pod.end()
            self.pod = None

    async def _attempts(self, retries: int) -> dict[str, Any]:
        assert self.pod is not None  # noqa: S101 - `_run` is only started with one
        message = ""
        for attempt in range(retries + 1):
            try:
                code = await self.pod.once()
            except (OSError, MissingReference) as error:
                message = str(error)
            else:
                if code == 0:
                    done = {"type": "Complete", "status": "True", "lastTransitionTime": now()}
                    return {"succeeded": 1, "failed": attempt, "completionTime": now(), "conditions": [done]}
                message = f"exit code {code}"
            self._report({**self._manifest["status"], "failed": attempt + 1})
            await asyncio.sleep(_FIRST_PAUSE * 2**attempt if attempt < retries else 0)
        words = f"It failed {retries + 1} times, last with {message}. See `imghost logs {self.key.name}`."
        return {"failed": retries + 1, "conditions": [_failed_condition("BackoffLimitExceeded", words)]}

    @property
    def _manifest(self) -> Object:
        found = self._objects.get(self.key)
        assert found is not None  # noqa: S101 - a removed Job is closed first
        return found

    def _report(self, status: dict[str, Any]) -> None:
        with suppress(AssertionError):
            self._objects.put({**self._manifest, "status": status})
        self._on_change(self.key)


def is_finished(job: Object) -> bool:
    """Whether a Job is complete or has failed."""
    conditions = job.get("status", {}).get("conditions", [])
    return any(
        condition["type"] in {"Complete", "Failed"} and condition["status"] == "True" for condition in conditions
    )


def _failed_condition(reason: str, message: str) -> dict[str, str]:
    return {"type": "Failed", "status": "True", "reason": reason, "message": message, "lastTransitionTime": now()}
