"""Delivery of originals: without metadata, unless the policy of the workspace is to keep them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from imghost_core import logs, object_keys
from imghost_core.contract.delivery import DeliveryImage
from imghost_core.contract.errors import MetadataNotRemovable
from imghost_core.objects import ObjectMissing, ObjectStore
from imghost_imaging.deliver import no_such_image
from imghost_imaging.formats import MIME_TYPES, Format
from imghost_imaging.http_conditional import Span
from imghost_imaging.metadata.rule import MetadataRule
from imghost_imaging.render_queue import RenderQueue
from imghost_imaging.single_flight import SingleFlight

_FORMATS: dict[str, Format] = {mime_type: name for name, mime_type in MIME_TYPES.items()}
_log = logs.get("imghost.originals")


@dataclass(frozen=True, slots=True)
class Delivered:
    """An object of the store that is delivered as the original: its key, and its size in bytes."""

    key: str
    size: int


class Originals:
    """Finds what to deliver as an original, and makes it for images that were taken without it."""

    def __init__(self, store: ObjectStore, queue: RenderQueue, rule: MetadataRule) -> None:
        self._store, self._queue, self._rule = store, queue, rule
        self._making = SingleFlight[int]()

    def filter_of(self, image: DeliveryImage) -> str | None:
        """The filter that this original passes before it is delivered."""
        return self._rule.filter_of(image.metadata_policy)

    async def find(self, image: DeliveryImage) -> Delivered:
        """What to deliver as the original of `image`.

        Raises `MetadataNotRemovable`, `Unavailable`, and `NotFound` when the store has lost the original.
        """
        name, ids = self.filter_of(image), (image.workspace_id, image.image_id)
        exact = Delivered(object_keys.original(*ids, image.sha256), image.size)
        if name is None:
            return exact
        if name == image.delivered_filter:
            size = image.delivered_size or 0
        else:  # taken by an earlier release, or under another policy
            size = await self._find_size(image, object_keys.delivered(*ids, name))
        return Delivered(object_keys.delivered(*ids, name), size) if size else exact

    async def stream(self, image: DeliveryImage, found: Delivered, span: Span) -> AsyncIterator[bytes]:
        """The bytes of `span`. Raises before the first, while the status can still change."""
        try:
            return await self._open(found, span)
        except ObjectMissing:
            await self._remake(image, found)
            return await self._open(found, span)

    async def _open(self, found: Delivered, span: Span) -> AsyncIterator[bytes]:
        chunks = self._store.stream(found.key, start=span.start, length=span.length)
        return _chain(await anext(chunks, b""), chunks)

    async def _find_size(self, image: DeliveryImage, key: str) -> int:
        try:
            return (await self._store.stat(key)).size
        except ObjectMissing:
            return await self._making.run(key, lambda: self._make(image, key))

    async def _remake(self, image: DeliveryImage, lost: Delivered) -> None:
        """Make again what the store has lost. The original itself cannot be made again: raises `NotFound`."""
        name = self.filter_of(image)
        if name is None or lost.key != object_keys.delivered(image.workspace_id, image.image_id, name):
            _log.error("the original is not in the store", image=str(image.image_id))
            raise no_such_image()
        await self._making.run(lost.key, lambda: self._make(image, lost.key))

    async def _make(self, image: DeliveryImage, key: str) -> int:
        """Make and store what is delivered; returns its size, 0 when that is the original itself."""
        async with self._queue.slot():
            try:
                data = await self._store.get(object_keys.original(image.workspace_id, image.image_id, image.sha256))
            except ObjectMissing:
                _log.error("the original is not in the store", image=str(image.image_id))
                raise no_such_image() from None
            kind = _FORMATS.get(image.mime_type)
            if kind is None:
                raise MetadataNotRemovable(f"This release does not know the format {image.mime_type}.")
            body = (await self._queue.run(self._rule.apply, data, kind, image.metadata_policy)).body or b""
        await self._store.put(key, body, content_type=image.mime_type)
        _log.info("delivered original made", image=str(image.image_id))
        return len(body)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
