"""`Idempotency-Key`: the same upload twice is one upload."""

import asyncio
from typing import Any

import pytest

from support import sample_images
from support.api import Person, TenantDatabase, problem, register
from support.eventually import eventually

KEY = {"Idempotency-Key": "holiday/1.jpg"}
IMAGE = sample_images.photo(64, 48)


async def test_a_repeated_upload_is_replayed(ada: Person) -> None:
    """The same key and file again get the first response, marked, and count nothing."""
    first = await ada.upload(IMAGE, **KEY)
    again = await ada.upload(IMAGE, name="other.jpg", **KEY)
    assert (first.status_code, again.status_code) == (201, 201)
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first.json()
    quota = await ada.quota()
    assert (quota["uploads"]["used"], quota["storage"]["used_bytes"]) == (1, len(IMAGE))


async def test_an_upload_is_replayed_however_long_ago_it_was(ada: Person, tenant: TenantDatabase) -> None:
    """The claim of a finished upload never counts as abandoned: hours later the key still gets the first response."""
    first = await ada.upload(IMAGE, **KEY)
    tenant.query(
        "UPDATE idempotency_keys SET claimed_at = now() - interval '23 hours'"
        " WHERE workspace_id IN (SELECT workspace_id FROM memberships WHERE user_id = %s)",
        ada.id,
    )
    again = await ada.upload(IMAGE, **KEY)
    assert again.json() == first.json()
    assert (await ada.quota())["uploads"]["used"] == 1


async def test_a_retry_does_not_bring_a_deleted_image_back(ada: Person, tenant: TenantDatabase) -> None:
    """After the image was deleted, its key is a 409 and stores nothing; a new key uploads the file again."""
    image = (await ada.upload(IMAGE, **KEY)).json()["image"]["id"]
    assert (await ada.client.delete(f"/images/{image}", headers=ada.key)).status_code == 200
    document = problem(await ada.upload(IMAGE, **KEY), 409, "idempotency_image_deleted")
    assert document["detail"].endswith("deleted since, so it is not repeated. Use a new key to upload the file again.")
    assert tenant.query("SELECT count(*) FROM images WHERE user_id = %s", ada.id) == [(1,)]
    assert (await ada.upload(IMAGE, **{"Idempotency-Key": "another"})).status_code == 201


async def test_without_a_key_every_upload_is_its_own(ada: Person) -> None:
    """Two uploads of one file without a key are two images."""
    first, second = await ada.upload(IMAGE), await ada.upload(IMAGE)
    assert first.json()["image"]["id"] != second.json()["image"]["id"]


async def test_a_key_is_for_one_file(ada: Person) -> None:
    """The key with another file is a 422, and nothing of it is stored."""
    await ada.upload(IMAGE, **KEY)
    problem(await ada.upload(sample_images.png(), **KEY), 422, "idempotency_key_reused")
    assert (await ada.quota())["uploads"]["used"] == 1


async def test_keys_of_workspaces_are_apart(ada: Person) -> None:
    """The same key of another workspace is another key."""
    eve = await register(ada.client)
    mine, theirs = await ada.upload(IMAGE, **KEY), await eve.upload(IMAGE, **KEY)
    assert mine.json()["image"]["id"] != theirs.json()["image"]["id"]


async def test_concurrent_uploads_with_one_key_make_one_image(ada: Person, tenant: TenantDatabase) -> None:
    """Ten concurrent uploads with one key store one image; the others are asked to retry, or get its response."""
    responses = await asyncio.gather(*(ada.upload(IMAGE, **KEY) for _ in range(10)))
    images = {response.json()["image"]["id"] for response in responses if response.status_code == 201}
    assert len(images) == 1
    for response in responses:
        if response.status_code != 201:
            problem(response, 409, "idempotency_in_progress")
            assert int(response.headers["retry-after"]) >= 1
    assert tenant.query("SELECT count(*) FROM images WHERE user_id = %s", ada.id) == [(1,)]
    assert (await ada.upload(IMAGE, **KEY)).headers["idempotency-replayed"] == "true"


async def test_a_refused_upload_is_not_kept(ada: Person) -> None:
    """After a refusal the key is free: the corrected file goes through."""
    problem(await ada.upload(b"no image", **KEY), 415, "unsupported_format")
    assert (await ada.upload(IMAGE, **KEY)).status_code == 201


async def test_a_retry_is_answered_though_the_quota_is_used_up(ada: Person, tenant: TenantDatabase) -> None:
    """The retry of the upload that took the last place gets its response, not the limit."""
    first = await ada.upload(IMAGE, **KEY)
    tenant.query(
        "UPDATE usage_daily SET uploads_count = 100"
        " WHERE workspace_id = (SELECT workspace_id FROM memberships WHERE user_id = %s)",
        ada.id,
    )
    again = await ada.upload(IMAGE, **KEY)
    assert (again.status_code, again.json()) == (201, first.json())
    problem(await ada.upload(IMAGE), 429, "daily_limit")
    problem(await ada.upload(IMAGE, **{"Idempotency-Key": "another"}), 429, "daily_limit")


async def test_an_upload_that_died_can_be_taken_over(open_api: Any, imaging_url: str, tenant: TenantDatabase) -> None:
    """A key whose holder went silent is 409 at first and free after the takeover time; the old holder, should it
    wake, cannot finish.
    """
    async with open_api(imaging_url=imaging_url, idempotency_takeover_seconds=30) as api:
        person = await register(api)
        await person.upload(IMAGE, **KEY)
        claims = "WHERE workspace_id = (SELECT workspace_id FROM memberships WHERE user_id = %s)"
        tenant.query(f"UPDATE idempotency_keys SET reply = NULL {claims}", person.id)
        problem(await person.upload(IMAGE, **KEY), 409, "idempotency_in_progress")
        tenant.query(f"UPDATE idempotency_keys SET claimed_at = now() - interval '31 s' {claims}", person.id)
        before = tenant.query(f"SELECT claim FROM idempotency_keys {claims}", person.id)
        assert (await person.upload(IMAGE, **KEY)).status_code == 201
        assert tenant.query(f"SELECT claim FROM idempotency_keys {claims}", person.id) != before


async def test_a_sleeper_cannot_finish_after_a_takeover(
    open_api: Any, imaging_url: str, tenant: TenantDatabase
) -> None:
    """Of a slow upload and the one that took its key over, one stores the image, whichever commits."""
    async with open_api(imaging_url=imaging_url, idempotency_takeover_seconds=1) as api:
        person = await register(api)
        slow = sample_images.photo(3000, 2000)
        first = asyncio.create_task(person.upload(slow, **KEY))
        claimed = "SELECT count(*) FROM idempotency_keys k JOIN memberships m USING (workspace_id) WHERE m.user_id = %s"
        await eventually(lambda: tenant.query(claimed, person.id)[0][0], every=0.005, why="the first upload claims")
        tenant.query(
            "UPDATE idempotency_keys SET claimed_at = now() - interval '1 hour'"
            " WHERE workspace_id = (SELECT workspace_id FROM memberships WHERE user_id = %s)",
            person.id,
        )
        second = await person.upload(slow, **KEY)
        statuses = sorted([(await first).status_code, second.status_code])
    assert statuses in ([201, 409], [201, 201])
    assert tenant.query("SELECT count(*) FROM images WHERE user_id = %s", person.id) == [(1,)]


async def test_a_slow_upload_keeps_its_key(open_api: Any, tenant: TenantDatabase) -> None:
    """An upload that takes longer than the takeover time is not taken over as long as its process lives."""
    ended = asyncio.Event()

    async def never_answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await ended.wait()
        writer.close()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as imaging:
        url = f"http://127.0.0.1:{imaging.sockets[0].getsockname()[1]}"
        async with open_api(imaging_url=url, idempotency_takeover_seconds=1) as api:
            person = await register(api)
            first = asyncio.create_task(person.upload(IMAGE, **KEY))
            mine = (
                "FROM idempotency_keys WHERE workspace_id IN (SELECT workspace_id FROM memberships WHERE user_id = %s)"
            )
            ((begun,),) = await eventually(lambda: tenant.query(f"SELECT claimed_at {mine}", person.id), why="a claim")
            late = f"SELECT 1 {mine} AND claimed_at > %s::timestamptz + interval '1.5 s'"
            await eventually(lambda: tenant.query(late, person.id, begun), why="the claim is renewed")
            problem(await person.upload(IMAGE, **KEY), 409, "idempotency_in_progress")
            ended.set()
            assert (await first).status_code == 503


@pytest.mark.parametrize("key", ["", "x" * 256])
async def test_a_bad_key_names_the_header(ada: Person, key: str) -> None:
    """A key of no or more than 255 characters is a 400 that names the header."""
    document = problem(await ada.upload(IMAGE, **{"Idempotency-Key": key}), 400, "invalid_request")
    assert document["errors"][0]["field"] == "idempotency-key"
