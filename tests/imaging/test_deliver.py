"""Delivery through the real public app: bytes, headers, file names, who sees what, and what counts as a view."""

import re
import uuid
from datetime import UTC, datetime

import pytest

from imghost_core import object_keys
from imghost_core.object_keys import VARIANT_NAMES
from imghost_core.timestamps import PATTERN
from support import image_similarity, sample_images
from support.eventually import eventually
from support.imaging import Imaging, Stored

# Each gives the image to another workspace or user, which is hidden: those of the fixture are shared.
_SUSPENDED = """
    WITH made AS (INSERT INTO workspaces (id, name, plan_code, suspended_at) VALUES (%(new)s, 'x', 'free', now()))
    UPDATE images SET workspace_id = %(new)s WHERE id = %(id)s
"""
_BLOCKED_USER = """
    WITH made AS (INSERT INTO users (id, first_name, username, email, is_blocked)
                  VALUES (%(new)s, 'x', %(new)s::text, %(new)s::text, true))
    UPDATE images SET user_id = %(new)s WHERE id = %(id)s
"""
BOXES = {"thumb": 200, "small": 400, "medium": 800, "large": 1200}
PATHS = ("/i/{}", "/i/{}?size=thumb", "/info/{}", "/{}.jpg", "/{}_thumb.jpg")


@pytest.mark.requirement("000-R16")
async def test_the_original_comes_back_byte_for_byte(imaging: Imaging, photo: Stored) -> None:
    """GET /i/{id} is the uploaded file, with headers that make it safe to embed and to cache."""
    response = await imaging.get(f"/i/{photo.public_id}")
    assert response.status_code == 200
    assert response.content == photo.body
    expected = {
        "content-type": "image/jpeg",
        "content-length": str(len(photo.body)),
        "accept-ranges": "bytes",
        "cache-control": "public, max-age=3600, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
    }
    assert {name: response.headers.get(name) for name in expected} == expected
    assert "content-disposition" not in response.headers


@pytest.mark.requirement("000-R17")
@pytest.mark.parametrize("size", VARIANT_NAMES)
async def test_every_variant_has_its_size_and_type(imaging: Imaging, photo: Stored, size: str) -> None:
    """GET /i/{id}?size= gives the image with that longest side, looking like the original."""
    response = await imaging.get(f"/i/{photo.public_id}?size={size}")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    small = image_similarity.pixels(response.content)
    assert max(small.shape[:2]) == BOXES[size]
    assert response.headers["content-length"] == str(len(response.content))


async def test_a_variant_format_of_a_later_release_is_delivered(imaging: Imaging, photo: Stored) -> None:
    """After a rollback, variants that a later release stored in a format of its own are sent as they are."""
    key = object_keys.variant(imaging.tenant.workspace, photo.image, "thumb", "jxl")
    await imaging.store.put(key, b"later", content_type="image/jxl")
    imaging.tenant.execute("UPDATE images SET variant_extension = 'jxl' WHERE id = %(id)s", {"id": photo.image})
    response = await imaging.get(f"/{photo.public_id}_thumb.jxl")
    assert (response.status_code, response.headers["content-type"], response.content) == (200, "image/jxl", b"later")


@pytest.mark.requirement("000-W5")
async def test_both_url_styles_resolve(imaging: Imaging, photo: Stored) -> None:
    """The file name of the upload reply and its `_thumb` name are the same bytes as by id."""
    by_name = await imaging.get(f"/{photo.public_id}.jpg")
    thumb = await imaging.get(f"/{photo.public_id}_thumb.jpg")
    assert by_name.content == photo.body
    assert thumb.content == (await imaging.get(f"/i/{photo.public_id}?size=thumb")).content


async def test_a_file_name_needs_the_right_extension(imaging: Imaging) -> None:
    """A PNG is at .png, its opaque sizes at .jpg; any other ending is 404."""
    stored = await imaging.upload(sample_images.png(), "a.png")
    statuses = {
        name: (await imaging.get(f"/{stored.public_id}{name}")).status_code
        for name in (
            ".png",
            "_small.jpg",
            ".jpg",
            ".PNG",
            "_small.png",
            "_huge.jpg",
            "_thumb",
            ".",
            "",
            ".png/",
            ".png.jpg",
        )
    }
    assert [name for name, status in statuses.items() if status == 200] == [".png", "_small.jpg"]
    assert {status for name, status in statuses.items() if name not in {".png", "_small.jpg"}} == {404}


@pytest.mark.parametrize("size", ["huge", "", "original", "THUMB", "thumb,small", "../x"])
async def test_an_unknown_size_is_400_and_names_the_valid_ones(imaging: Imaging, photo: Stored, size: str) -> None:
    """A size there is not is 400, and the response lists the sizes there are."""
    response = await imaging.public.get(f"/i/{photo.public_id}", params={"size": size})
    assert (response.status_code, response.json()["code"]) == (400, "unknown_size")
    assert "thumb, small, medium, large" in response.json()["detail"]


@pytest.mark.requirement("000-R18")
async def test_download_sends_the_original_file_name(imaging: Imaging) -> None:
    """?download=true saves the image under the name it was uploaded with."""
    stored = await imaging.upload(sample_images.photo(), "Ferien am Wörthersee.JPG")
    response = await imaging.get(f"/i/{stored.public_id}?download=true")
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"Ferien am W_rthersee.JPG\"; filename*=UTF-8''Ferien%20am%20W%C3%B6rthersee.JPG"
    )
    assert "content-disposition" not in (await imaging.get(f"/i/{stored.public_id}?download=false")).headers


@pytest.mark.requirement("000-R19", "000-W6")
async def test_info_has_the_exact_shape(imaging: Imaging, photo: Stored) -> None:
    """GET /info/{id} has the fields older clients read, and no others."""
    response = await imaging.get(f"/info/{photo.public_id}")
    assert response.headers["cache-control"] == "no-cache"  # the number of views changes
    body = response.json()
    uploaded = body.pop("uploaded_at")
    assert body == {
        "id": photo.public_id,
        "filename": f"{photo.public_id}.jpg",
        "size": len(photo.body),
        "dimensions": {"width": 1900, "height": 1000},
        "mime_type": "image/jpeg",
        "views": 0,
    }
    assert re.fullmatch(PATTERN, uploaded)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(uploaded)).total_seconds()) < 60


async def test_hidden_images_give_the_same_404(imaging: Imaging) -> None:
    """On every route, an image that is private, deleted or blocked, or whose workspace is suspended or whose user is
    blocked, gets the same response as one that never existed.
    """
    hidden = {
        "private": await imaging.upload(sample_images.photo(), public=False),
        "deleted": await imaging.upload(sample_images.photo()),
        "blocked": await imaging.upload(sample_images.photo()),
    }
    for state in ("deleted", "blocked"):
        query = f"UPDATE images SET {state}_at = now() WHERE id = %(id)s"
        imaging.tenant.execute(query, {"id": hidden[state].image})
    for state, owner in (("suspended", _SUSPENDED), ("user blocked", _BLOCKED_USER)):
        hidden[state] = await imaging.upload(sample_images.photo())
        imaging.tenant.execute(owner, {"id": hidden[state].image, "new": uuid.uuid4()})
    ids = {name: stored.public_id for name, stored in hidden.items()} | {"unknown": "0" * 12}
    for path in PATHS:
        seen = set()
        for public_id in ids.values():
            response = await imaging.get(path.format(public_id), x_request_id="the-same-request")
            seen.add((response.status_code, response.text.replace(public_id, "ID")))
            assert response.headers["cache-control"] == "no-store"
        assert len(seen) == 1
        assert seen.pop()[0] == 404


@pytest.mark.parametrize(
    ("shut", "reopen"),
    [
        ("UPDATE workspaces SET suspended_at = now()", "UPDATE workspaces SET suspended_at = NULL"),
        ("UPDATE users SET is_blocked = true", "UPDATE users SET is_blocked = false"),
    ],
    ids=["workspace", "user"],
)
async def test_images_of_a_suspended_workspace_or_a_blocked_user_are_not_delivered(
    imaging: Imaging, photo: Stored, shut: str, reopen: str
) -> None:
    """While the workspace is suspended, or its user blocked, every route gives the 404 of an unknown image, also to a
    cache that revalidates its copy; afterwards the image is delivered again.
    """
    paths = [path.format(photo.public_id) for path in PATHS]
    tag = (await imaging.get(paths[0])).headers["etag"]
    imaging.tenant.execute(shut)
    try:
        responses = [await imaging.get(path, if_none_match=tag) for path in paths]
    finally:
        imaging.tenant.execute(reopen)
    assert {(response.status_code, response.json()["code"]) for response in responses} == {(404, "not_found")}
    assert {(await imaging.get(path)).status_code for path in paths} == {200}


@pytest.mark.parametrize("odd", ["..%2f..%2fetc", "%00", "a" * 500, "' OR 1=1 --", "½" * 12])
async def test_malformed_ids_are_404(imaging: Imaging, odd: str) -> None:
    """Whatever is not an id is 404 and never reaches the database or the store."""
    for path in (f"/i/{odd}", f"/info/{odd}", f"/{odd}.jpg"):
        assert (await imaging.get(path)).status_code == 404


async def test_other_methods_are_405(imaging: Imaging, photo: Stored) -> None:
    """Nothing can be changed through the public side."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        response = await imaging.public.request(method, f"/i/{photo.public_id}")
        assert (response.status_code, response.headers["content-type"]) == (405, "application/problem+json")


async def test_request_headers_never_change_the_bytes(imaging: Imaging, photo: Stored) -> None:
    """A cache in front cannot be poisoned: no header that a client makes up gets into a cacheable response."""
    path = f"/i/{photo.public_id}?size=thumb"
    plain = await imaging.get(path, x_request_id="the-same-request")
    odd = {
        "host": "evil.example", "x_forwarded_host": "evil.example", "x_forwarded_proto": "gopher",
        "forwarded": "host=evil.example", "x_original_url": "/i/other", "x_rewrite_url": "/i/other",
        "accept": "text/html", "accept_language": "de", "cookie": "a=b", "x_http_method_override": "DELETE",
        "user_agent": "evil.example", "origin": "https://evil.example",
    }  # fmt: skip
    for name, value in odd.items():
        response = await imaging.get(path, x_request_id="the-same-request", **{name: value})
        assert (response.status_code, response.content, response.headers) == (200, plain.content, plain.headers), name


async def test_views_are_counted_once_each(imaging: Imaging, photo: Stored) -> None:
    """Looking at an image is one view, with size and referring host; HEAD, 304, info and later parts are none.

    The bytes of every part count, and most of an image without its first byte is a view.
    """
    path = f"/i/{photo.public_id}"
    tag = (await imaging.get(path, referer="https://blog.example/secret?token=1", user_agent="tester")).headers["etag"]
    thumb = await imaging.get(f"/{photo.public_id}_thumb.jpg", user_agent="x" * 999)
    await imaging.get(path, range="bytes=0-9", user_agent="")
    await imaging.get(path, range="bytes=10-19", user_agent="")
    await imaging.get(path, range="bytes=1-", user_agent="")
    await imaging.get(path, if_none_match=tag)
    await imaging.public.head(path)
    await imaging.get(f"/info/{photo.public_id}")

    async def counted() -> bool:
        return (await imaging.get(f"/info/{photo.public_id}")).json()["views"] == 4

    await eventually(counted, why="four views reach /info")
    assert await imaging.view_events(photo) == [
        ("original", len(photo.body), 200, True, "blog.example", "tester"),
        ("thumb", len(thumb.content), 200, True, None, "x" * 256),
        ("original", 10, 206, True, None, None),
        ("original", 10, 206, False, None, None),
        ("original", len(photo.body) - 1, 206, True, None, None),
    ]
