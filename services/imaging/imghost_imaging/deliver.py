"""Delivery: where the bytes of an image or of one of its sizes come from."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from imghost_core import logs, object_keys
from imghost_core.errors import NotFound, Unprocessable, UnsupportedMedia
from imghost_core.object_keys import VariantName
from imghost_core.objects import ObjectMissing, ObjectStore
from imghost_imaging.catalog import Image
from imghost_imaging.conditions import Span
from imghost_imaging.formats import VARIANT_MIME_TYPES
from imghost_imaging.ingest import store_ladder
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render.renderer import Renderer
from imghost_imaging.slots import Slots

_log = logs.get("imghost.deliver")


def no_such_image() -> NotFound:
    """The one answer for unknown, deleted, blocked and private images: it must not tell them apart."""
    return NotFound("There is no public image at this address. It may have been removed; check the link.")


class Delivery:
    """Originals streamed from the store, and sizes, which are made again when the store has lost one."""

    def __init__(self, store: ObjectStore, slots: Slots, renderer: Renderer, metrics: ImagingMetrics) -> None:
        self._store, self._slots, self._renderer, self._metrics = store, slots, renderer, metrics
        self._flights: dict[str, asyncio.Task[bytes]] = {}

    async def original(self, image: Image, span: Span) -> AsyncIterator[bytes]:
        """The bytes of `span` of the original. Raises before the first of them, so that the status can still say so."""
        key = object_keys.original(image.workspace_id, image.image_id, image.sha256)
        chunks = self._store.stream(key, start=span.start, length=span.length)
        try:
            first = await anext(chunks, b"")
        except ObjectMissing:
            _log.exception("the original is not in the store", image=str(image.image_id))
            raise no_such_image() from None
        return _resumed(first, chunks)

    async def variant(self, image: Image, name: VariantName) -> bytes:
        """The variant `name`, made again from the original or the mezzanine when it is not in the store."""
        key = object_keys.variant(image.workspace_id, image.image_id, name, image.variant_extension)
        try:
            return await self._store.get(key)
        except ObjectMissing:
            return await self._once(key, lambda: self._restore(image, name))

    async def _once(self, key: str, make: Callable[[], Awaitable[bytes]]) -> bytes:
        """One flight a key: whoever asks while a variant is being made waits for that one."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(make())
            self._flights[key] = flight
            flight.add_done_callback(lambda _done: self._flights.pop(key, None))
        return await asyncio.shield(flight)

    async def _restore(self, image: Image, name: VariantName) -> bytes:
        async with self._slots.take():
            body = await self._from_original(image, name) or await self._from_mezzanine(image, name)
        if body is None:
            _log.error("neither original nor mezzanine is in the store", image=str(image.image_id))
            raise no_such_image()
        self._metrics.restored.inc()
        _log.warning("lost variant made again", image=str(image.image_id), variant=name)
        return body

    async def _from_original(self, image: Image, name: VariantName) -> bytes | None:
        """The cascade once more: the same bytes as before, as their tag promises, and whatever else was lost."""
        key = object_keys.original(image.workspace_id, image.image_id, image.sha256)
        try:
            ladder = (await self._slots.run(self._renderer.judge, await self._store.get(key))).ladder
        except (ObjectMissing, Unprocessable, UnsupportedMedia):  # limits may be lower now than when it was taken
            return None
        if ladder.extension != image.variant_extension:
            return None
        await store_ladder(self._store, image.workspace_id, image.image_id, ladder)
        return ladder.variants[name]

    async def _from_mezzanine(self, image: Image, name: VariantName) -> bytes | None:
        """The next best: looks the same."""
        kind, place = image.variant_extension, (image.workspace_id, image.image_id)
        try:
            mezzanine = await self._store.get(object_keys.mezzanine(*place, kind))
            body = await self._slots.run(self._renderer.variant, mezzanine, name, kind)
        except (ObjectMissing, Unprocessable):
            return None
        await self._store.put(object_keys.variant(*place, name, kind), body, content_type=VARIANT_MIME_TYPES[kind])
        return body


async def _resumed(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
