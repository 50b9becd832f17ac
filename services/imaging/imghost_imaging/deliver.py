"""Delivery of variants: reads them from the store, and renders those again that the store has lost."""

from imghost_core import logs, object_keys
from imghost_core.contract.delivery import DeliveryImage
from imghost_core.errors import NotFound, Unavailable, Unprocessable, UnsupportedMedia
from imghost_core.object_keys import VariantName
from imghost_core.objects import ObjectMissing, ObjectStore
from imghost_imaging.formats import VARIANT_MIME_TYPES
from imghost_imaging.ingest import store_renditions
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render_queue import RenderQueue
from imghost_imaging.renderer import Renderer
from imghost_imaging.single_flight import SingleFlight

_log = logs.get("imghost.deliver")


def no_such_image() -> NotFound:
    """The same error for unknown, deleted, blocked and private images, so that clients cannot distinguish them."""
    return NotFound("There is no public image at this address. It may have been removed; check the link.")


class Delivery:
    """Reads variants, which are regenerated when the store has lost one."""

    def __init__(self, store: ObjectStore, queue: RenderQueue, renderer: Renderer, metrics: ImagingMetrics) -> None:
        self._store, self._queue, self._renderer, self._metrics = store, queue, renderer, metrics
        self._regenerating = SingleFlight[bytes]()

    async def variant(self, image: DeliveryImage, name: VariantName) -> bytes:
        """The variant `name`, regenerated from the original or the mezzanine when it is not in the store."""
        key = object_keys.variant(image.workspace_id, image.image_id, name, image.variant_extension)
        try:
            return await self._store.get(key)
        except ObjectMissing:
            return await self._regenerating.run(key, lambda: self._regenerate(image, name))

    async def _regenerate(self, image: DeliveryImage, name: VariantName) -> bytes:
        if image.variant_extension not in VARIANT_MIME_TYPES:
            raise Unavailable(
                f"The variants of this image are {image.variant_extension}, which this release does not render. "
                "An upgrade is in progress; retry later.",
                retry_after=30,
            )
        async with self._queue.slot() as until:
            body = await self._from_original(image, name, until) or await self._from_mezzanine(image, name, until)
        if body is None:
            _log.error("neither original nor mezzanine is in the store", image=str(image.image_id))
            raise no_such_image()
        self._metrics.regenerated.inc()
        _log.warning("lost variant regenerated", image=str(image.image_id), variant=name)
        return body

    async def _from_original(self, image: DeliveryImage, name: VariantName, until: float) -> bytes | None:
        """Render all variants again, which gives the bytes that the ETag stands for, and stores every one of them."""
        key = object_keys.original(image.workspace_id, image.image_id, image.sha256)
        try:
            renditions = (await self._renderer.render(await self._store.get(key), until=until)).renditions
        except (ObjectMissing, Unprocessable, UnsupportedMedia):  # limits may be lower now than when it was taken
            return None
        if renditions.extension != image.variant_extension:
            return None
        await store_renditions(self._store, image.workspace_id, image.image_id, renditions)
        return renditions.variants[name]

    async def _from_mezzanine(self, image: DeliveryImage, name: VariantName, until: float) -> bytes | None:
        """Render from the mezzanine: the same image in other bytes."""
        extension, ids = image.variant_extension, (image.workspace_id, image.image_id)
        try:
            mezzanine = await self._store.get(object_keys.mezzanine(*ids, extension))
            body = await self._renderer.variant(mezzanine, name, extension, until=until)
        except (ObjectMissing, Unprocessable):
            return None
        await self._store.put(
            object_keys.variant(*ids, name, extension), body, content_type=VARIANT_MIME_TYPES[extension]
        )
        return body
