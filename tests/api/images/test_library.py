"""Listing and deleting images; isolation of workspaces."""

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select

from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.images.tables import Image
from imghost_core.ids import uuid7
from support import sample_images
from support.api import Person, TenantDatabase, api_settings, problem, register


def workspace_of(tenant: TenantDatabase, person: Person) -> UUID:
    found: UUID = tenant.query("SELECT workspace_id FROM memberships WHERE user_id = %s", person.id)[0][0]
    return found


def insert_images(tenant: TenantDatabase, person: Person, times: list[datetime]) -> list[str]:
    """Rows of images uploaded at these times; their public ids."""
    made = []
    for moment in times:
        public_id = secrets.token_hex(6)
        tenant.query(
            "INSERT INTO images (id, workspace_id, user_id, public_id, original_name, mime_type, format, extension,"
            " variant_extension, file_size, variant_bytes, width, height, frames, sha256, uploaded_at)"
            " VALUES (%s, %s, %s, %s, 'a.jpg', 'image/jpeg', 'jpeg', 'jpg', 'jpg', 10, 5, 4, 3, 1, 'x', %s)",
            uuid7(),
            workspace_of(tenant, person),
            person.id,
            public_id,
            moment,
        )
        made.append(public_id)
    return made


@pytest.mark.requirement("000-R13", "000-M8")
async def test_the_list_shows_the_images_of_the_workspace(ada: Person) -> None:
    """An image in the list has all its URLs and properties."""
    uploaded = (await ada.upload(sample_images.png(), name="Käse.png")).json()["image"]
    response = (await ada.client.get("/images", headers=ada.key)).json()
    (shown,) = response.pop("data")
    assert response == {"success": True, "has_more": False, "next_cursor": None}
    assert {name: shown[name] for name in uploaded} == uploaded
    assert (shown["original_name"], shown["mime_type"], shown["views"]) == ("Käse.png", "image/png", 0)
    assert (shown["is_public"], shown["uploaded_at"][-1]) == (True, "Z")


async def test_pages_have_every_image_once(api: httpx.AsyncClient, tenant: TenantDatabase) -> None:
    """Following the cursor shows every image once, newest first, also those of the same moment."""
    person = await register(api)
    now = datetime.now(UTC)
    made = insert_images(tenant, person, [now - timedelta(seconds=n // 3) for n in range(25)])
    seen: list[str] = []
    moments: list[str] = []
    cursor = None
    while True:
        query = {"limit": "7"} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/api/v1/images", headers=person.key, params=query)).json()
        seen += [row["id"] for row in page["data"]]
        moments += [row["uploaded_at"] for row in page["data"]]
        if not page["has_more"]:
            break
        assert len(page["data"]) == 7
        cursor = page["next_cursor"]
        insert_images(tenant, person, [datetime.now(UTC) + timedelta(seconds=5)])  # a newer one moves no page
    assert sorted(seen) == sorted(made)
    assert moments == sorted(moments, reverse=True)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "limit=x", "cursor=abc", "cursor=%00", "cursor=" + "A" * 300, "cursor="]
)
async def test_a_bad_page_request_names_the_parameter(api: httpx.AsyncClient, query: str) -> None:
    """A limit or a cursor that cannot be is a 400 that names it."""
    person = await register(api)
    code = "invalid_cursor" if query in {"cursor=abc", "cursor="} else "invalid_request"
    document = problem(await api.get(f"/images?{query}", headers=person.key), 400, code)
    assert document["errors"][0]["field"] == query.split("=", maxsplit=1)[0]


@pytest.mark.requirement("000-R14")
@pytest.mark.parametrize("path", ["/images/{}", "/api/v1/images/{}"])
async def test_an_image_is_deleted(ada: Person, path: str) -> None:
    """A deleted image is no longer listed, and deleting it again is a 404."""
    image = (await ada.upload(sample_images.photo(64, 48))).json()["image"]["id"]
    response = await ada.client.delete(path.format(image), headers=ada.key)
    assert response.json() == {"success": True, "id": image, "message": "The image is deleted."}
    assert (await ada.client.get("/images", headers=ada.key)).json()["data"] == []
    problem(await ada.client.delete(path.format(image), headers=ada.key), 404, "image_not_found")


@pytest.mark.requirement("000-A8")
async def test_workspaces_are_isolated(ada: Person) -> None:
    """Images of another workspace are neither listed nor deleted: they do not exist for the request."""
    image = (await ada.upload(sample_images.photo(64, 48))).json()["image"]["id"]
    eve = await register(ada.client)
    for headers in (eve.key, eve.token):
        problem(await ada.client.delete(f"/images/{image}", headers=headers), 404, "image_not_found")
        assert (await ada.client.get("/images", headers=headers)).json()["data"] == []
    assert (await eve.quota())["storage"]["used_bytes"] == 0
    assert len((await ada.client.get("/images", headers=ada.key)).json()["data"]) == 1


async def test_a_transaction_sees_its_workspace_without_a_filter(
    ada: Person, tenant: TenantDatabase, tmp_path: object
) -> None:
    """A query that forgets its workspace sees the transaction's own rows; one outside of any workspace sees none."""
    eve = await register(ada.client)
    for person in (ada, eve):
        await person.upload(sample_images.photo(32, 32))
    mine, other = workspace_of(tenant, ada), workspace_of(tenant, eve)
    database = Database.open(api_settings(tenant, tmp_path))  # type: ignore[arg-type]
    async with database.transaction(mine) as session:
        assert set(await session.scalars(select(Image.workspace_id))) == {mine}
    async with database.begin() as session:
        assert (await session.scalars(select(Image.workspace_id))).all() == []
    async with all_workspaces(database) as session:
        assert {mine, other} <= set(await session.scalars(select(Image.workspace_id)))
    await database.close()


async def test_the_delivery_view_shows_live_images_only(ada: Person, tenant: TenantDatabase) -> None:
    """Imaging's view has one row per live image of an unblocked owner, with its pending views counted."""
    image = (await ada.upload(sample_images.photo(64, 48))).json()["image"]["id"]

    def shown() -> list[tuple[object, ...]]:
        import psycopg

        with psycopg.connect(tenant.url("imaging")) as connection:
            return connection.execute(
                "SELECT filename, width, height, mime_type, views FROM delivery_images WHERE public_id = %s",
                [image],
            ).fetchall()

    assert shown() == [(f"{image}.jpg", 64, 48, "image/jpeg", 0)]
    tenant.query(
        "INSERT INTO view_events (image_id, bytes, status) SELECT id, 10, unnest(ARRAY[200, 304, 404])"
        " FROM images WHERE public_id = %s",
        image,
    )
    assert shown()[0][-1] == 2
    for hide, show in [
        ("UPDATE users SET is_blocked = true WHERE id = %s", "UPDATE users SET is_blocked = false WHERE id = %s"),
        (
            "UPDATE images SET blocked_at = now() WHERE user_id = %s",
            "UPDATE images SET blocked_at = NULL WHERE user_id = %s",
        ),
    ]:
        tenant.query(hide, ada.id)
        assert shown() == []
        tenant.query(show, ada.id)
        assert len(shown()) == 1
    await ada.client.delete(f"/images/{image}", headers=ada.key)
    assert shown() == []
