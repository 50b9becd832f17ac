"""Objects of images: removed after a deletion, and when no image owns them."""

import os
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from imghost_api.access.credentials import Authenticator
from imghost_api.images.library import service
from imghost_api.images.library.jobs import DeleteObjects, delete_objects
from imghost_api.worker_context import WorkerContext
from imghost_core import object_keys
from imghost_core.ids import uuid7
from support import sample_images
from support.api import Person, TenantDatabase
from support.eventually import eventually
from support.jobs import periodic_jobs
from support.metrics import value

IMAGE = sample_images.photo(64, 48)
OBJECTS = 6  # of one image: its original and what is made of it


def owner_of(tenant: TenantDatabase, public_id: str) -> tuple[UUID, UUID]:
    ((workspace, image),) = tenant.query("SELECT workspace_id, id FROM images WHERE public_id = %s", public_id)
    return workspace, image


def files(store_root: Path, workspace: UUID, image: UUID) -> list[Path]:
    """An image's objects; folders may vanish meanwhile."""
    found = os.walk(store_root / object_keys.image_prefix(workspace, image))
    return [Path(folder) / name for folder, _, names in found for name in names]


async def test_objects_of_a_deleted_image_are_removed(
    ada: Person, open_worker: Any, tenant: TenantDatabase, store_root: Path
) -> None:
    """Deleting an image removes all its objects soon after, and those of no other image."""
    async with open_worker():
        deleted, kept = [(await ada.upload(IMAGE)).json()["image"]["id"] for _ in range(2)]
        assert len(files(store_root, *owner_of(tenant, deleted))) == OBJECTS
        await ada.client.delete(f"/images/{deleted}", headers=ada.key)
        await eventually(lambda: not files(store_root, *owner_of(tenant, deleted)), within=20, why="they are removed")
        assert len(files(store_root, *owner_of(tenant, kept))) == OBJECTS


async def test_a_rolled_back_deletion_has_no_consequences(ada: Person, tenant: TenantDatabase) -> None:
    """The event of a deletion exists if, and only if, its transaction commits."""
    image = (await ada.upload(IMAGE)).json()["image"]["id"]
    context = ada.client.public.state.context  # type: ignore[attr-defined]
    workspace, image_id = owner_of(tenant, image)
    authenticator = Authenticator(
        context.database, context.tokens, context.digest, context.clock, context.authentications, "192.0.2.1"
    )
    principal, _ = await authenticator.by_api_key(ada.key["X-API-Key"])
    with pytest.raises(RuntimeError, match="changed my mind"):
        async with context.database.transaction(workspace) as session:
            await service.delete_image(session, principal, image)
            raise RuntimeError("changed my mind")
    events = "SELECT type FROM outbox WHERE payload ->> 'image_id' = %s ORDER BY id"
    assert tenant.query(events, str(image_id)) == [("image.uploaded",)]
    await ada.client.delete(f"/images/{image}", headers=ada.key)
    assert tenant.query(events, str(image_id)) == [("image.uploaded",), ("image.deleted",)]


async def test_a_late_job_spares_a_live_image(
    ada: Person, worker_context: WorkerContext, tenant: TenantDatabase, store_root: Path
) -> None:
    """The job looks again before it removes: an image in the library keeps its objects."""
    workspace, image = owner_of(tenant, (await ada.upload(IMAGE)).json()["image"]["id"])
    job = DeleteObjects(workspace_id=workspace, image_id=image)
    await delete_objects(worker_context.database, worker_context.store, job)
    assert len(files(store_root, workspace, image)) == OBJECTS


@pytest.mark.parametrize("grace", [600, 86_400])
async def test_the_sweep_removes_old_orphans_only(
    ada: Person, worker_context: WorkerContext, tenant: TenantDatabase, store_root: Path, grace: int
) -> None:
    """Objects that belong to no image are removed ORPHAN_GRACE_SECONDS after they were stored; younger ones, which may
    be of an upload under way, and those of images stay.
    """
    workspace, live = owner_of(tenant, (await ada.upload(IMAGE)).json()["image"]["id"])
    old, young = uuid7(), uuid7()
    for image in (old, young):
        await worker_context.store.put(
            object_keys.original(workspace, image, "0" * 64), b"x", content_type="image/jpeg"
        )
    for image, age in ((old, grace + 60), (young, grace - 60), (live, grace + 60)):
        for path in files(store_root, workspace, image):
            os.utime(path, (time.time() - age,) * 2)
    sweep = periodic_jobs(worker_context, orphan_grace_seconds=grace)["sweep_orphans"]
    await sweep.run()
    assert [len(files(store_root, workspace, image)) for image in (old, young, live)] == [0, 1, OBJECTS]
    assert value(worker_context.metrics.orphans) >= 1
