"""One upload, from the first byte to the response, in the order that loses nothing.

Receive → wait for a turn → claim the idempotency key → store the original → ingest (check it, make its variants) →
one transaction → respond. Until that transaction commits, what was stored is an orphan and may be deleted; afterwards
only a delete request removes it.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from imghost_api.access.credentials import require_valid
from imghost_api.access.principal import Principal
from imghost_api.clock import Clock
from imghost_api.db.engine import Database
from imghost_api.events.outbox import publish
from imghost_api.idempotency.errors import ImageOfKeyDeleted
from imghost_api.idempotency.service import Claim, claim_key
from imghost_api.images.events import ImageUploaded
from imghost_api.images.queries import to_stored_image
from imghost_api.images.tables import Image
from imghost_api.images.upload import queries
from imghost_api.images.upload.spool import IncomingFile, ReceivedFile, receive
from imghost_api.images.values import StoredImage
from imghost_api.imaging_client import ImagingClient
from imghost_api.metrics import ApiMetrics
from imghost_api.plans import quota
from imghost_api.spool_space import Source, SpoolSpace
from imghost_core import ids, logs, object_keys
from imghost_core.contract.errors import EmptyFile, OriginalDiffers
from imghost_core.contract.ingest import Ingested, IngestRequest
from imghost_core.errors import HttpError, Unavailable
from imghost_core.fair_queue import FairQueue
from imghost_core.filenames import clean_filename
from imghost_core.objects.base import ObjectStore

_HEARTBEATS_PER_TAKEOVER = 4
_log = logs.get("imghost.upload")


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """An upload whose body is still unread, from `address` as limits count it."""

    address: str
    body: AsyncIterator[bytes]
    content_type: str
    content_length: int | None
    idempotency_key: str | None


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """The limits of this process; `takeover` is the age at which an idempotency claim counts as abandoned."""

    max_bytes: int
    timeout_seconds: float
    queue_seconds: float
    takeover: timedelta


@dataclass(frozen=True, slots=True)
class UploadService:
    """Stores images."""

    database: Database
    store: ObjectStore
    imaging: ImagingClient
    spool: SpoolSpace
    slots: FairQueue
    metrics: ApiMetrics
    clock: Clock
    limits: UploadLimits

    async def upload(self, principal: Principal, request: UploadRequest) -> tuple[StoredImage, bool]:
        """Store one image. Returns it, and whether it is that of an earlier upload with the same idempotency key.

        Raises an error that says why the upload was rejected; then nothing is stored and nothing is counted.
        """
        started = time.monotonic()
        try:
            image, replayed = await self._receive(principal, request)
        except HttpError as error:
            self.metrics.uploads.labels(error.code).inc()
            if limit := quota.limit_of(error):
                self.metrics.refusals.labels(limit).inc()
            raise
        self.metrics.uploads.labels("replayed" if replayed else "stored").inc()
        self.metrics.upload_seconds.observe(time.monotonic() - started)
        return image, replayed

    async def _receive(self, principal: Principal, request: UploadRequest) -> tuple[StoredImage, bool]:
        if request.idempotency_key is None:  # with a key this may be the retry of an upload already counted
            await self._check_quota(principal, size=1)
        workspace = str(principal.workspace_id)
        source = Source(workspace, request.address)
        incoming = IncomingFile(request.body, request.content_type, request.content_length, source)
        limit = min(principal.limits.max_file_bytes, self.limits.max_bytes)
        async with receive(incoming, self.spool, limit=limit, seconds=self.limits.timeout_seconds) as received:
            if received.size == 0:
                raise EmptyFile("The file is empty. Send an image.")
            turn = self.slots.turn(workspace, within=self.limits.queue_seconds)
            async with turn:  # only now: a body that arrives slowly delays no other
                return await self._store_once(principal, received, request.idempotency_key)

    async def _store_once(
        self, principal: Principal, received: ReceivedFile, key: str | None
    ) -> tuple[StoredImage, bool]:
        if key is None:
            return await self._store(principal, received, None), False
        claim = Claim(principal.workspace_id, key, ids.uuid7())
        takeover = self.limits.takeover
        earlier = await claim_key(self.database, claim, request_hash=received.sha256, takeover=takeover)
        if earlier is not None:
            return await self._replay(principal, StoredImage.from_reply(earlier)), True
        async with claim.keep_renewed(self.database, takeover.total_seconds() / _HEARTBEATS_PER_TAKEOVER):
            return await self._store(principal, received, claim), False

    async def _replay(self, principal: Principal, image: StoredImage) -> StoredImage:
        """The image of an earlier upload. A retry must not bring back what was deleted: raises `ImageOfKeyDeleted`."""
        async with self.database.transaction(principal.workspace_id) as session:
            if not await queries.image_exists(session, principal.workspace_id, image.public_id):
                raise ImageOfKeyDeleted
        return image

    async def _store(self, principal: Principal, received: ReceivedFile, claim: Claim | None) -> StoredImage:
        request = IngestRequest(
            workspace=principal.workspace_id,
            image=ids.uuid7(),
            sha256=received.sha256,
            size=received.size,
            metadata_policy=principal.metadata_policy,
        )
        try:
            await self._check_quota(principal, size=received.size)
            ingested = await self._ingest(received, request)
        except HttpError:
            await self._discard(request, claim)
            raise
        row = _to_row(principal, received, request, ingested)
        image = to_stored_image(row)
        try:
            await self._commit(principal, row, claim, asdict(image))
        except Unavailable:
            # The connection may have broken after the commit: the objects may belong to a stored image, so they stay.
            # If there is no row, the orphan sweep deletes them.
            raise
        except HttpError:
            await self._discard(request, claim)
            raise
        self.metrics.upload_bytes.observe(received.size)
        _log.info("stored", image=str(row.id), bytes=received.size, format=ingested.format)
        return image

    async def _check_quota(self, principal: Principal, *, size: int) -> None:
        async with self.database.transaction(principal.workspace_id) as session:
            await quota.check_quota(session, principal.workspace_id, principal.limits, size=size, now=self.clock())

    async def _ingest(self, received: ReceivedFile, request: IngestRequest) -> Ingested:
        key = object_keys.original(request.workspace, request.image, request.sha256)
        await self.store.put_file(key, received.path, content_type="application/octet-stream")
        stored = await self.store.stat(key)
        if stored.size != received.size:
            raise OriginalDiffers("Stored size does not match the upload. Send the image again.")
        return await self.imaging.ingest(request)

    async def _commit(self, principal: Principal, row: Image, claim: Claim | None, reply: dict[str, Any]) -> None:
        async with self.database.transaction(principal.workspace_id) as session:
            await require_valid(session, principal)  # the credential may have been revoked while the body arrived
            await quota.reserve_quota(
                session, principal.workspace_id, principal.limits, size=row.file_size, now=self.clock()
            )
            await queries.add_image(session, row)
            if claim:
                await claim.finish(session, reply)
            await publish(session, _to_event(row))

    async def _discard(self, request: IngestRequest, claim: Claim | None) -> None:
        """Delete what a rejected upload left. Best effort: the orphan sweep and the takeover handle the rest."""
        try:
            await self.store.delete_prefix(object_keys.image_prefix(request.workspace, request.image))
        except HttpError as error:
            _log.warning("objects of a rejected upload left to the sweep", image=str(request.image), reason=error.code)
        try:
            if claim:
                await claim.release(self.database)
        except HttpError as error:
            _log.warning("idempotency claim left to be taken over", reason=error.code)


def _to_row(principal: Principal, received: ReceivedFile, request: IngestRequest, ingested: Ingested) -> Image:
    return Image(
        id=request.image,
        workspace_id=principal.workspace_id,
        user_id=principal.user_id,
        public_id=ids.public_id(),
        original_name=clean_filename(received.file_name),
        file_size=received.size,
        sha256=received.sha256,
        format=ingested.format,
        mime_type=ingested.mime_type,
        extension=ingested.extension,
        variant_extension=ingested.variant_extension,
        width=ingested.width,
        height=ingested.height,
        frames=ingested.frames,
        variant_bytes=ingested.variant_bytes,
        delivered_filter=ingested.delivered_filter,
        delivered_size=ingested.delivered_size,
    )


def _to_event(row: Image) -> ImageUploaded:
    return ImageUploaded(
        workspace_id=row.workspace_id,
        image_id=row.id,
        public_id=row.public_id,
        file_size=row.file_size,
        user_id=row.user_id,
        mime_type=row.mime_type,
        width=row.width,
        height=row.height,
    )
