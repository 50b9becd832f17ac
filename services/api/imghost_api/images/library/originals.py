"""Download of the exact original by its workspace."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from imghost_api.access.principal import Principal
from imghost_api.db.engine import Session
from imghost_api.images.library import queries
from imghost_api.images.library.errors import ImageNotFound, OriginalWithheld
from imghost_core import object_keys
from imghost_core.contract.metadata import is_for_owner
from imghost_core.disposition import attachment
from imghost_core.objects.base import ObjectMissing, ObjectStore


@dataclass(frozen=True, slots=True)
class ExactOriginal:
    """An original as it was uploaded, and the headers that describe it."""

    chunks: AsyncIterator[bytes]
    headers: dict[str, str]


async def open_original(
    session: Session, store: ObjectStore, principal: Principal, public_id: str, *, default_policy: str
) -> ExactOriginal:
    """The original of one image of the workspace. Raises `ImageNotFound`, `OriginalWithheld`, `Unavailable`."""
    image = await queries.find_image(session, principal.workspace_id, public_id)
    if image is None:
        raise ImageNotFound
    if not is_for_owner(principal.metadata_policy or default_policy):
        raise OriginalWithheld
    chunks = store.stream(object_keys.original(image.workspace_id, image.id, image.sha256))
    try:
        first = await anext(chunks, b"")
    except ObjectMissing as error:
        raise ImageNotFound from error
    headers = {
        "Content-Type": image.mime_type,
        "Content-Length": str(image.file_size),
        "Content-Disposition": attachment(image.original_name, image.extension),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "ETag": f'"{image.sha256[:32]}"',
    }
    return ExactOriginal(_chain(first, chunks), headers)


async def _chain(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk
