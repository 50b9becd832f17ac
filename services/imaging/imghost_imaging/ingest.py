"""Ingest: validates a stored original, renders its variants, removes its metadata, and stores what it made."""

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
from imghost_imaging.metadata.rule import MetadataRule, Stripped
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render.results import Rendered, Renditions
from imghost_imaging.render_queue import RenderQueue
from imghost_imaging.renderer import Renderer

_MIB = 1024 * 1024


class Ingest:
    """Validates originals and stores their renditions; nothing is stored for a rejected original."""

    def __init__(
        self,
        store: ObjectStore,
        queue: RenderQueue,
        renderer: Renderer,
        metrics: ImagingMetrics,
        rule: MetadataRule,
        *,
        max_bytes: int,
    ) -> None:
        self._store, self._queue, self._renderer, self._metrics = store, queue, renderer, metrics
        self._rule, self._max_bytes = rule, max_bytes
        self._running: set[asyncio.Task[Ingested]] = set()

    async def __call__(self, request: IngestRequest) -> Ingested:
        """Validate the original of `request` and render it; when this returns, all that is delivered is durable.

        Raises what `Renderer.render` raises, `MetadataNotRemovable`, `FileTooLarge`, `ObjectMissing`, and `Unavailable`
        when the store is unreachable, the queue is full, or the stored bytes differ from the announced ones.
        """
        started, outcome = time.perf_counter(), "ok"
        task = asyncio.create_task(self._ingest(request))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await task
        except HttpError as error:
            outcome = error.code
            if error.status < 500:  # noqa: PLR2004 - 5xx is a failure of this service, not of the image
                self._metrics.rejects.labels(outcome).inc()
            raise
        except Exception:
            outcome = HttpError.code  # a fault of ours: 500, since the same image would fail again
            raise
        finally:
            self._metrics.ingest.labels(outcome).observe(time.perf_counter() - started)

    async def drain(self, seconds: float) -> None:
        """Wait for running ingests, at most `seconds`; call it before the store is closed."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)

    async def _ingest(self, request: IngestRequest) -> Ingested:
        key = object_keys.original(request.workspace, request.image, request.sha256)
        _check_size((await self._store.stat(key)).size, self._max_bytes)
        async with self._queue.slot() as until:
            data = await self._store.get(key)
            await self._queue.run(_check_content, data, request)
            rendered = await self._renderer.render(data, until=until)
            stripped = await self._queue.run(self._rule.apply, data, rendered.format, request.metadata_policy)
        del data  # free up to MAX_INPUT_BYTES before waiting for the store
        await asyncio.gather(
            store_renditions(self._store, request.workspace, request.image, rendered.renditions),
            self._store_stripped(request, stripped, MIME_TYPES[rendered.format]),
        )
        return _to_ingested(rendered, stripped)

    async def _store_stripped(self, request: IngestRequest, stripped: Stripped, mime_type: str) -> None:
        if stripped.filter is not None and stripped.body is not None:
            key = object_keys.delivered(request.workspace, request.image, stripped.filter)
            await self._store.put(key, stripped.body, content_type=mime_type)


async def store_renditions(store: ObjectStore, workspace: UUID, image: UUID, renditions: Renditions) -> None:
    """Store every file of `renditions` under the keys of its image."""
    mime_type = VARIANT_MIME_TYPES[renditions.extension]
    files = {object_keys.mezzanine(workspace, image, renditions.extension): renditions.mezzanine} | {
        object_keys.variant(workspace, image, name, renditions.extension): body
        for name, body in renditions.variants.items()
    }
    await asyncio.gather(*(store.put(key, body, content_type=mime_type) for key, body in files.items()))


def _check_content(data: bytes, request: IngestRequest) -> None:
    if len(data) != request.size or hashlib.sha256(data).hexdigest() != request.sha256:
        raise OriginalDiffers(
            "The stored original differs from the announced one. Nothing was stored; upload the image again.",
            retry_after=1,
        )


def _check_size(size: int, allowed: int) -> None:
    if size > allowed:
        raise FileTooLarge(
            f"The file has {size / _MIB:.1f} MiB; at most {allowed / _MIB:.1f} MiB are allowed. Upload a smaller copy."
        )


def _to_ingested(rendered: Rendered, stripped: Stripped) -> Ingested:
    return Ingested(
        format=rendered.format,
        mime_type=MIME_TYPES[rendered.format],
        extension=EXTENSIONS[rendered.format],
        variant_extension=rendered.renditions.extension,
        width=rendered.header.width,
        height=rendered.header.height,
        frames=rendered.header.frames,
        variant_bytes=rendered.renditions.total_bytes,
        delivered_filter=stripped.filter,
        delivered_size=None if stripped.body is None else len(stripped.body),
    )
