"""Background jobs of the library, and what it does about events. Each is safe to repeat."""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar
from uuid import UUID

from imghost_api.db.engine import Database, Session
from imghost_api.db.system import all_workspaces
from imghost_api.events.event import Subscriber
from imghost_api.events.event import on as on_event
from imghost_api.images.events import ImageDeleted
from imghost_api.images.queries import find_existing
from imghost_api.jobs.enqueue import enqueue
from imghost_api.jobs.job import Job, JobHandler, Queue, on
from imghost_api.worker_context import WorkerContext
from imghost_core import object_keys
from imghost_core.objects.base import ObjectStore


class DeleteObjects(Job):
    """Delete the objects of a deleted image."""

    name: ClassVar[str] = "delete_objects"
    queue: ClassVar[Queue] = Queue.BULK

    workspace_id: UUID
    image_id: UUID


def jobs(context: WorkerContext) -> Sequence[JobHandler]:
    """Every job of this feature."""
    return [on(DeleteObjects, partial(delete_objects, context.database, context.store))]


async def delete_objects(database: Database, store: ObjectStore, job: DeleteObjects) -> None:
    """Delete the objects of an image, unless the image exists."""
    async with all_workspaces(database) as session:
        if await find_existing(session, [job.image_id]):
            return
    await store.delete_prefix(object_keys.image_prefix(job.workspace_id, job.image_id))


async def _enqueue_deletion(session: Session, event: ImageDeleted) -> None:
    await enqueue(session, DeleteObjects(workspace_id=event.workspace_id, image_id=event.image_id))


SUBSCRIBERS: Sequence[Subscriber] = [Subscriber.to("image_objects", on_event(ImageDeleted, _enqueue_deletion))]
"""`image_objects` deletes the objects of deleted images."""
