"""Renders images in the sandbox, within the memory budget of the process. Nothing is decoded in this process."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from imghost_core import logs
from imghost_core.contract.errors import INGEST_ERRORS, CorruptImage, ImageTooComplex, Overloaded
from imghost_core.errors import Unprocessable
from imghost_core.object_keys import VariantName
from imghost_imaging.cost import estimate, shape
from imghost_imaging.formats import Format
from imghost_imaging.memory_budget import MemoryBudget
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render import limits, results
from imghost_imaging.render.identify import identify
from imghost_imaging.render.limits import Header, Limits
from imghost_imaging.render.results import Rendered
from imghost_imaging.sandbox.sandbox import Answer, ChildKilled, Job, Sandbox
from imghost_imaging.sandbox.server_process import NotForked, ServerEnded

_MIB = 1024**2
_REFUSALS = {error.code: error for error in INGEST_ERRORS}
_MAX_DETAIL = 500
_MEZZANINE_FORMATS: dict[str, Format] = {"jpg": "jpeg", "webp": "webp"}
_log = logs.get("imghost.render")


class _Cost(NamedTuple):
    """Bytes: what the child may take, what it may answer, and what both and the service need together."""

    memory: int
    answer: int
    reserved: int


class RenderFault(RuntimeError):
    """A defect of ours in a child; the image is not to blame."""


class Renderer:
    """Makes renditions in children of the sandbox. `seconds` limits the work on one image."""

    def __init__(
        self,
        sandbox: Sandbox,
        budget: MemoryBudget,
        formats: tuple[Format, ...],
        bounds: Limits,
        metrics: ImagingMetrics,
        *,
        seconds: float = 30.0,
    ) -> None:
        self._sandbox, self._budget, self._formats, self._limits = sandbox, budget, formats, bounds
        self._metrics, self._seconds = metrics, seconds

    async def render(self, data: bytes, *, until: float) -> Rendered:
        """Validate `data` and make its renditions; memory is waited for until the time `until` of the loop.

        Raises one of `INGEST_ERRORS`, and `Overloaded` when memory or time do not suffice, or the sandbox restarts.
        """
        kind = identify(data, self._formats)
        cost = await asyncio.to_thread(self._estimate, data, kind)
        arguments = {"pixels": self._limits.pixels, "frames": self._limits.frames}
        answer = await self._run("render", arguments, data, cost, "renditions", until=until)
        try:
            return results.from_message(kind, answer.head.get("result"), answer.bodies)
        except (TypeError, ValueError):
            raise self._killed("protocol") from None

    async def variant(self, mezzanine: bytes, name: VariantName, extension: str, *, until: float) -> bytes:
        """The variant `name` from a stored mezzanine of this extension. Raises as `render` does."""
        cost = await asyncio.to_thread(self._estimate, mezzanine, _MEZZANINE_FORMATS[extension])
        arguments = {"name": name, "extension": extension}
        answer = await self._run("variant", arguments, mezzanine, cost, "variant", until=until)
        if len(answer.bodies) != 1:
            raise self._killed("protocol")
        return answer.bodies[0]

    def _estimate(self, data: bytes, kind: Format) -> _Cost:
        found = shape.read(data, kind)
        limits.check(Header(found.width, found.height, found.frames), self._limits)
        memory, answer = estimate.child_bytes(data, kind, found), estimate.answer_bytes(found)
        if (needed := memory + estimate.service_bytes(data, found)) > self._budget.total:
            raise ImageTooComplex(
                f"Decoding the image takes about {needed // _MIB:,} MiB of memory; "
                f"{self._budget.total // _MIB:,} MiB are allowed. Upload a smaller copy, or one that is neither "
                "interlaced, progressive nor of 16 bits."
            )
        return _Cost(memory, answer, needed)

    async def _run(
        self, work: str, arguments: dict[str, Any], data: bytes, cost: _Cost, operation: str, *, until: float
    ) -> Answer:
        try:
            async with self._budget.reserve(cost.reserved, until=until):
                with self._metrics.render.labels(operation).time():
                    answer = await self._sandbox.run(
                        Job(work, arguments, cost.memory, self._seconds, cost.answer), data
                    )
        except TimeoutError:
            raise _busy("The memory for images is in use", 5) from None
        except NotForked:
            raise _busy("There is no process for another decoder now", 5) from None
        except ServerEnded:
            raise _busy("The decoder is starting again", 1) from None
        except ChildKilled as error:
            raise self._killed(error.cause) from error
        self._check(answer.head)
        return answer

    def _check(self, head: dict[str, Any]) -> None:
        """Raise what a child reports in place of a result."""
        if head.get("out_of_memory"):
            raise self._killed("memory")
        if "refused" in head:
            refusal = _REFUSALS.get(str(head["refused"]), CorruptImage)
            raise refusal(str(head.get("detail"))[:_MAX_DETAIL])
        if "result" not in head:
            raise RenderFault(f"{head.get('failed')} at {_places(head.get('places'))}")

    def _killed(self, cause: str) -> Unprocessable | Overloaded:
        """The error for a child that gave no answer."""
        self._metrics.killed.labels(cause).inc()
        _log.warning("a decoder was stopped", cause=cause)
        if cause == "time":
            return Overloaded(
                "Processing the image took too long and was stopped. Nothing was stored; retry, or upload a smaller "
                "copy.",
                retry_after=5,
            )
        if cause == "killed":
            return _busy("The decoder was stopped by the system, which may lack memory", 5)
        if cause in {"memory", "cpu"}:
            return ImageTooComplex(
                "Decoding the image takes more memory or time than its header announces, and was stopped. "
                "Export the image again with an image editor and upload the new file."
            )
        return limits.corrupt()


def _busy(what: str, seconds: int) -> Overloaded:
    return Overloaded(f"{what}. Nothing was stored; retry shortly.", retry_after=seconds)


def _places(places: object) -> str:
    return ", ".join(str(place)[:200] for place in places[-10:]) if isinstance(places, Sequence) else "an unknown place"
