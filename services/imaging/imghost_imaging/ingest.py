"""Ingest: one stored original in; a verdict, and all its sizes in the store, out."""

import asyncio
import hashlib
import time
from uuid import UUID

from imghost_core import object_keys
from imghost_core.contract.errors import FileTooLarge, OriginalDiffers
from imghost_core.contract.ingest import Ingested, IngestRequest
from imghost_core.errors import HttpError
from imghost_core.objects import ObjectStore
from imghost_imaging.formats import EXTENSIONS, MIME_TYPES, VARIANT_MIME_TYPES
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render.ladder import Ladder
from imghost_imaging.render.renderer import Rendered, Renderer
from imghost_imaging.slots import Slots

_MIB = 1024 * 1024


class Ingest:
    """Judges originals and stores their ladders; nothing is stored of what is refused."""

    def __init__(
        self, store: ObjectStore, slots: Slots, renderer: Renderer, metrics: ImagingMetrics, *, max_bytes: int
    ) -> None:
        self._store, self._slots, self._renderer, self._metrics = store, slots, renderer, metrics
        self._max_bytes = max_bytes
        self._running: set[asyncio.Task[Ingested]] = set()

    async def __call__(self, request: IngestRequest) -> Ingested:
        """Judge the original of `request`; when this returns, every size is durable.

        Raises what `Renderer.judge` raises, `TooLarge`, `ObjectMissing`, and `Unavailable` when the store is away,
        all slots are taken, or the stored bytes are not the announced ones.
        """
        started, outcome = time.perf_counter(), "ok"
        work = asyncio.create_task(self._ingest(request))
        self._running.add(work)
        work.add_done_callback(self._running.discard)
        try:
            return await work
        except HttpError as error:
            outcome = error.code
            if error.status < 500:  # noqa: PLR2004 - beyond are our own troubles, not the image's
                self._metrics.rejects.labels(outcome).inc()
            raise
        finally:
            self._metrics.ingest.labels(outcome).observe(time.perf_counter() - started)

    async def drain(self, seconds: float) -> None:
        """Wait for what is being ingested, at most `seconds`: the store must outlive it."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def _ingest(self, request: IngestRequest) -> Ingested:
        key = object_keys.original(request.workspace, request.image, request.sha256)
        _check_size((await self._store.stat(key)).size, self._max_bytes)
        async with self._slots.take():
            data = await self._store.get(key)
            rendered = await self._slots.run(self._judge, data, request)
        del data  # up to MAX_INPUT_BYTES that need not wait for the store
        await store_ladder(self._store, request.workspace, request.image, rendered.ladder)
        return _ingested(rendered)

    def _judge(self, data: bytes, request: IngestRequest) -> Rendered:
        if len(data) != request.size or hashlib.sha256(data).hexdigest() != request.sha256:
            raise OriginalDiffers(
                "The stored file is not the one that was announced. Nothing was kept; send it again.",
                retry_after=1,
            )
        return self._renderer.judge(data)


async def store_ladder(store: ObjectStore, workspace: UUID, image: UUID, ladder: Ladder) -> None:
    """Store every file of `ladder` under the keys of its image."""
    mime_type = VARIANT_MIME_TYPES[ladder.extension]
    files = {object_keys.mezzanine(workspace, image, ladder.extension): ladder.mezzanine} | {
        object_keys.variant(workspace, image, name, ladder.extension): body for name, body in ladder.variants.items()
    }
    await asyncio.gather(*(store.put(key, body, content_type=mime_type) for key, body in files.items()))


def _check_size(size: int, allowed: int) -> None:
    if size > allowed:
        raise FileTooLarge(
            f"The file has {size / _MIB:.1f} MiB; at most {allowed / _MIB:.1f} MiB are allowed. Send a smaller copy."
        )


def _ingested(rendered: Rendered) -> Ingested:
    return Ingested(
        format=rendered.format,
        mime_type=MIME_TYPES[rendered.format],
        extension=EXTENSIONS[rendered.format],
        variant_extension=rendered.ladder.extension,
        width=rendered.header.width,
        height=rendered.header.height,
        frames=rendered.header.frames,
        variant_bytes=rendered.ladder.total,
    )
