"""The worker does what the services only promise, whatever happens to it."""

from support import sample_images
from support.e2e.backends import Backends
from support.e2e.crash import Crash
from support.e2e.figures import Figures
from support.e2e.tenants import Tenants
from support.eventually import eventually

DELETED, KILLED_AFTER = 40, (10, 25)


async def test_a_killed_worker_still_deletes_every_object(
    tenants: Tenants, backends: Backends, crash: Crash, figures: Figures
) -> None:
    """SIGKILL for the worker twice while images are deleted: afterwards the store has no object of theirs, all of the
    others', and no event is undelivered.
    """
    tenant = await tenants.ready()
    client = tenant.client
    account = await client.register()
    kept, *images = [
        (await client.upload_or_fail(account, sample_images.photo(320, 240, seed=number)))["id"]
        for number in range(1 + DELETED)
    ]
    for number, image in enumerate(images):
        if number in KILLED_AFTER:
            await eventually(
                lambda: crash.kill(tenant.pods("worker")) > 0, within=60, every=0.5, why="a worker runs and is killed"
            )
        await client.delete(account, image)

    def all_deleted() -> bool:
        left = backends.rows("SELECT public_id FROM images WHERE deleted_at IS NULL", database=tenant.database)
        stored = {key.split("/")[3] for key in tenant.stored(backends)}  # TENANT/w/WORKSPACE/IMAGE/…
        pending = backends.rows("SELECT event_id FROM event_deliveries", database=tenant.database)
        assert (left, len(stored), pending) == ([(kept,)], 1, [])
        return True

    with figures.measure(f"objects of {DELETED} images deleted, with a worker killed {len(KILLED_AFTER)} times"):
        await eventually(all_deleted, within=90, every=0.25, why="every object of a deleted image is deleted")
    worker = tenant.pods("worker")[0]["status"]["containerStatuses"][0]
    assert worker["restartCount"] == len(KILLED_AFTER)
    assert (await client.view(f"{tenant.urls['view']}/i/{kept}")).status_code == 200
