"""Background jobs of the library. Each is safe to repeat."""

from functools import partial
from uuid import UUID

from imghost_api.context import AppContext
from imghost_api.db.engine import ALL_WORKSPACES, Database
from imghost_api.images.library.service import DELETE_OBJECTS
from imghost_api.images.queries import find_existing
from imghost_core import object_keys
from imghost_core.objects.base import ObjectStore


def register_jobs(context: AppContext) -> None:
    """Register every job of this feature."""
    context.jobs.on(DELETE_OBJECTS, partial(delete_objects, context.database, context.store))


async def delete_objects(database: Database, store: ObjectStore, *, workspace: str, image: str) -> None:
    """Delete the objects of a deleted image."""
    async with database.transaction(ALL_WORKSPACES) as session:
        if await find_existing(session, [UUID(image)]):
            return
    await store.delete_prefix(object_keys.image_prefix(UUID(workspace), UUID(image)))
