"""One upload, from the first byte to the acknowledgement, in the order that loses nothing.

Receive → claim the idempotency key → store the original → have it judged → one transaction → answer. Until that
transaction commits, what was stored is an orphan and may be removed; after it, nothing removes it but a delete.
"""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

from imghost_api.access.principal import Principal
from imghost_api.context import Resources
from imghost_api.db.tables import Image
from imghost_api.idempotency import service as idempotency
from imghost_api.idempotency.service import Claim
from imghost_api.images.library import queries
from imghost_api.images.library.service import uploaded
from imghost_api.images.schemas import UploadAnswer
from imghost_api.images.upload.filenames import clean
from imghost_api.images.upload.spool import Received, receive
from imghost_api.plans import quota
from imghost_core import ids, keys, logs
from imghost_core.errors import ImghostError, Unavailable, Unprocessable
from imghost_core.ingest import Ingested, IngestRequest

_SIGNS_OF_LIFE = 4  # of an upload within the time after which it would count as dead
_log = logs.get("imghost.upload")


@dataclass(frozen=True, slots=True)
class Incoming:
    """An upload as it reaches us: its body still unread."""

    body: AsyncIterator[bytes]
    content_type: str
    content_length: int | None
    idempotency_key: str | None


async def upload(resources: Resources, caller: Principal, incoming: Incoming) -> tuple[UploadAnswer, bool]:
    """Take in one picture. Returns the answer, and whether it is that of an earlier upload with the same key.

    Raises the refusal that fits; then nothing is stored and nothing is counted.
    """
    started = time.monotonic()
    try:
        with resources.uploads.take():
            answer, replayed = await _received(resources, caller, incoming)
    except ImghostError as error:
        resources.metrics.uploads.labels(error.code).inc()
        if limit := quota.limit_of(error):
            resources.metrics.refusals.labels(limit).inc()
        raise
    resources.metrics.uploads.labels("replayed" if replayed else "stored").inc()
    resources.metrics.upload_seconds.observe(time.monotonic() - started)
    return answer, replayed


async def _received(resources: Resources, caller: Principal, incoming: Incoming) -> tuple[UploadAnswer, bool]:
    settings = resources.settings
    if incoming.idempotency_key is None:  # with a key this may be a retry whose upload is long counted
        await _require_room(resources, caller, size=1)
    async with receive(
        incoming.body,
        content_type=incoming.content_type,
        declared=incoming.content_length,
        limit=min(caller.limits.max_file_bytes, settings.max_upload_bytes),
        seconds=settings.upload_timeout_seconds,
    ) as received:
        if received.size == 0:
            raise Unprocessable("The file is empty. Send a picture.", code="empty_file")
        if incoming.idempotency_key is None:
            return await _stored(resources, caller, received, None), False
        claim = Claim(caller.workspace_id, incoming.idempotency_key, ids.uuid7())
        takeover = timedelta(seconds=settings.idempotency_takeover_seconds)
        earlier = await idempotency.claim(resources.database, claim, request_hash=received.sha256, takeover=takeover)
        if earlier is not None:
            return UploadAnswer.model_validate(earlier), True
        async with claim.renewed(resources.database, settings.idempotency_takeover_seconds / _SIGNS_OF_LIFE):
            return await _stored(resources, caller, received, claim), False


async def _stored(resources: Resources, caller: Principal, received: Received, claim: Claim | None) -> UploadAnswer:
    request = IngestRequest(
        workspace=caller.workspace_id, image=ids.uuid7(), sha256=received.sha256, size=received.size
    )
    try:
        await _require_room(resources, caller, size=received.size)
        ingested = await _judged(resources, received, request)
    except ImghostError:
        await _discard(resources, request, claim)
        raise
    image = _row(caller, received, request, ingested)
    answer = UploadAnswer(image=uploaded(resources.urls, image))
    try:
        await _commit(resources, caller, image, claim, answer)
    except Unavailable:
        # The connection may have broken after the commit: what is stored may be somebody's picture, so it stays. If
        # there is no row, the sweep finds it.
        raise
    except ImghostError:
        await _discard(resources, request, claim)
        raise
    resources.metrics.upload_bytes.observe(received.size)
    _log.info("stored", image=str(image.id), bytes=received.size, format=ingested.format)
    return answer


async def _require_room(resources: Resources, caller: Principal, *, size: int) -> None:
    async with resources.database.transaction(caller.workspace_id) as session:
        await quota.require_room(session, caller, size=size, now=resources.clock())


async def _judged(resources: Resources, received: Received, request: IngestRequest) -> Ingested:
    key = keys.original(request.workspace, request.image, request.sha256)
    await resources.store.put_file(key, received.path, content_type="application/octet-stream")
    kept = await resources.store.stat(key)
    if kept.size != received.size:
        raise Unavailable("The object store kept something else than was sent. Send the picture again.")
    return await resources.imaging.ingest(request)


async def _commit(
    resources: Resources, caller: Principal, image: Image, claim: Claim | None, answer: UploadAnswer
) -> None:
    async with resources.database.transaction(caller.workspace_id) as session:
        await quota.take_room(session, caller, size=image.file_size, now=resources.clock())
        await queries.add_image(session, image)
        if claim:
            await claim.finish(session, answer.model_dump(mode="json"))


async def _discard(resources: Resources, request: IngestRequest, claim: Claim | None) -> None:
    """Remove what a refused upload left. Best effort: the sweep and the takeover are there for the rest."""
    try:
        await resources.store.delete_prefix(keys.image_prefix(request.workspace, request.image))
    except ImghostError as error:
        _log.warning("objects of a refused upload are left to the sweep", image=str(request.image), reason=error.code)
    try:
        if claim:
            await claim.release(resources.database)
    except ImghostError as error:
        _log.warning("an idempotency key is left to be taken over", reason=error.code)


def _row(caller: Principal, received: Received, request: IngestRequest, ingested: Ingested) -> Image:
    return Image(
        id=request.image,
        workspace_id=caller.workspace_id,
        user_id=caller.user_id,
        public_id=ids.public_id(),
        original_name=clean(received.file_name),
        file_size=received.size,
        sha256=received.sha256,
        **ingested.model_dump(),
    )
