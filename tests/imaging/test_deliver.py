"""Delivery through the real public app: bytes, headers, conditions, ranges, and who sees what."""

import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from imghost_core import object_keys
from imghost_core.object_keys import VARIANT_NAMES
from support import image_similarity, sample_images
from support.eventually import eventually
from support.imaging import Imaging, Stored

PHOTO = sample_images.photo(1900, 1000)
BOXES = {"thumb": 200, "small": 400, "medium": 800, "large": 1200}


@pytest.fixture
async def photo(imaging: Imaging) -> Stored:
    return await imaging.upload(PHOTO)


async def get(imaging: Imaging, path: str, **headers: str) -> httpx.Response:
    return await imaging.public.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.requirement("000-R16")
async def test_the_original_comes_back_byte_for_byte(imaging: Imaging, photo: Stored) -> None:
    """GET /i/{id} is the uploaded file, with headers that make it safe to embed and to cache."""
    response = await get(imaging, f"/i/{photo.public_id}")
    assert response.status_code == 200
    assert response.content == PHOTO
    expected = {
        "content-type": "image/jpeg",
        "content-length": str(len(PHOTO)),
        "accept-ranges": "bytes",
        "cache-control": "public, max-age=3600, immutable",
        "x-content-type-options": "nosniff",
        "content-security-policy": "default-src 'none'; sandbox",
        "cross-origin-resource-policy": "cross-origin",
    }
    assert {name: response.headers.get(name) for name in expected} == expected
    assert "content-disposition" not in response.headers


@pytest.mark.requirement("000-R17")
@pytest.mark.parametrize("size", VARIANT_NAMES)
async def test_every_variant_has_its_size_and_type(imaging: Imaging, photo: Stored, size: str) -> None:
    """GET /i/{id}?size= gives the image with that longest side, looking like the original."""
    response = await get(imaging, f"/i/{photo.public_id}?size={size}")
    assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg")
    small = image_similarity.pixels(response.content)
    assert max(small.shape[:2]) == BOXES[size]
    assert response.headers["content-length"] == str(len(response.content))


async def test_a_variant_format_of_a_later_release_is_delivered(imaging: Imaging, photo: Stored) -> None:
    """After a rollback, variants that a later release stored in a format of its own are sent as they are."""
    key = object_keys.variant(imaging.tenant.workspace, photo.image, "thumb", "jxl")
    await imaging.store.put(key, b"later", content_type="image/jxl")
    imaging.tenant.execute("UPDATE images SET variant_extension = 'jxl' WHERE id = %(id)s", {"id": photo.image})
    response = await get(imaging, f"/{photo.public_id}_thumb.jxl")
    assert (response.status_code, response.headers["content-type"], response.content) == (200, "image/jxl", b"later")


@pytest.mark.requirement("000-W5")
async def test_both_url_styles_resolve(imaging: Imaging, photo: Stored) -> None:
    """The file name of the upload reply and its `_thumb` name are the same bytes as by id."""
    by_name = await get(imaging, f"/{photo.public_id}.jpg")
    thumb = await get(imaging, f"/{photo.public_id}_thumb.jpg")
    assert by_name.content == PHOTO
    assert thumb.content == (await get(imaging, f"/i/{photo.public_id}?size=thumb")).content


async def test_a_file_name_needs_the_right_extension(imaging: Imaging) -> None:
    """A PNG is at .png, its opaque sizes at .jpg; any other ending is 404."""
    stored = await imaging.upload(sample_images.png(), "a.png")
    statuses = {
        name: (await get(imaging, f"/{stored.public_id}{name}")).status_code
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
    response = await get(imaging, f"/i/{stored.public_id}?download=true")
    assert response.headers["content-disposition"] == (
        "attachment; filename=\"Ferien am W_rthersee.JPG\"; filename*=UTF-8''Ferien%20am%20W%C3%B6rthersee.JPG"
    )
    assert "content-disposition" not in (await get(imaging, f"/i/{stored.public_id}?download=false")).headers


@pytest.mark.requirement("000-R19", "000-W6")
async def test_info_has_the_exact_shape(imaging: Imaging, photo: Stored) -> None:
    """GET /info/{id} has the fields older clients read, and no others."""
    response = await get(imaging, f"/info/{photo.public_id}")
    body = response.json()
    uploaded = body.pop("uploaded_at")
    assert body == {
        "id": photo.public_id,
        "filename": f"{photo.public_id}.jpg",
        "size": len(PHOTO),
        "dimensions": {"width": 1900, "height": 1000},
        "mime_type": "image/jpeg",
        "views": 0,
    }
    assert uploaded.endswith("Z")
    assert abs((datetime.now(UTC) - datetime.fromisoformat(uploaded)).total_seconds()) < 60


async def test_unknown_private_deleted_and_blocked_images_give_the_same_404(imaging: Imaging) -> None:
    """On every route, a private, deleted or blocked image gets the same response as one that never existed."""
    hidden = {
        "private": await imaging.upload(sample_images.photo(), public=False),
        "deleted": await imaging.upload(sample_images.photo()),
        "blocked": await imaging.upload(sample_images.photo()),
    }
    for state in ("deleted", "blocked"):
        query = f"UPDATE images SET {state}_at = now() WHERE id = %(id)s"
        imaging.tenant.execute(query, {"id": hidden[state].image})
    ids = {name: stored.public_id for name, stored in hidden.items()} | {"unknown": "0" * 12}
    for path in ("/i/{}", "/i/{}?size=thumb", "/info/{}", "/{}.jpg", "/{}_thumb.jpg"):
        seen = set()
        for public_id in ids.values():
            response = await get(imaging, path.format(public_id), x_request_id="the-same-request")
            seen.add((response.status_code, response.text.replace(public_id, "ID")))
            assert response.headers["cache-control"] == "no-store"
        assert len(seen) == 1
        assert seen.pop()[0] == 404


@pytest.mark.parametrize("odd", ["..%2f..%2fetc", "%00", "a" * 500, "' OR 1=1 --", "½" * 12])
async def test_malformed_ids_are_404(imaging: Imaging, odd: str) -> None:
    """Whatever is not an id is 404 and never reaches the database or the store."""
    for path in (f"/i/{odd}", f"/info/{odd}", f"/{odd}.jpg"):
        assert (await get(imaging, path)).status_code == 404


async def test_an_unchanged_image_is_not_sent_again(imaging: Imaging, photo: Stored) -> None:
    """If-None-Match with the tag, in a list, weak or `*`, is 304 without a body; another tag is 200."""
    path = f"/i/{photo.public_id}?size=small"
    tag = (await get(imaging, path)).headers["etag"]
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        response = await get(imaging, path, if_none_match=given)
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert (await get(imaging, path, if_none_match='"other"')).status_code == 200


async def test_if_modified_since_works_without_a_tag(imaging: Imaging, photo: Stored) -> None:
    """If-Modified-Since with the Last-Modified we sent is 304; with If-None-Match as well, the tag decides."""
    path = f"/i/{photo.public_id}"
    modified = (await get(imaging, path)).headers["last-modified"]
    assert (await get(imaging, path, if_modified_since=modified)).status_code == 304
    assert (await get(imaging, path, if_modified_since=modified, if_none_match='"x"')).status_code == 200
    assert (await get(imaging, path, if_modified_since="Mon, 01 Jan 2001 00:00:00 GMT")).status_code == 200


async def test_each_variant_has_its_own_etag(imaging: Imaging, photo: Stored) -> None:
    """Original and sizes never share a tag, and a second image of other bytes has other tags."""
    other = await imaging.upload(sample_images.png())
    tags = [
        (await imaging.public.head(f"/i/{stored.public_id}{query}")).headers["etag"]
        for stored in (photo, other)
        for query in ("", *(f"?size={name}" for name in VARIANT_NAMES))
    ]
    assert len(set(tags)) == 10


@pytest.mark.parametrize("query", ["", "?size=large"])
async def test_a_single_range_is_206(imaging: Imaging, photo: Stored, query: str) -> None:
    """A single range is 206 with exactly those bytes, from the front, the middle or the end."""
    path = f"/i/{photo.public_id}{query}"
    whole = (await get(imaging, path)).content
    for given, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(whole)),
        ("bytes=-50", len(whole) - 50, len(whole)),
        (f"bytes=10-{len(whole) * 9}", 10, len(whole)),
    ):
        response = await get(imaging, path, range=given)
        assert (response.status_code, response.content) == (206, whole[start:end])
        assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
        assert response.headers["content-length"] == str(end - start)


async def test_a_range_beyond_the_end_is_416(imaging: Imaging, photo: Stored) -> None:
    """A range that cannot be satisfied is 416 with the size."""
    for given in (f"bytes={len(PHOTO)}-", "bytes=-0"):
        response = await get(imaging, f"/i/{photo.public_id}", range=given)
        assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{len(PHOTO)}")


@pytest.mark.parametrize(
    "given", ["bytes=0-1,5-6", "bytes=" + ",".join(["0-"] * 10_000), "bytes=9-3", "bytes=", "bytes=a-b", "pages=1-2"]
)
async def test_several_or_malformed_ranges_get_the_whole_file(imaging: Imaging, photo: Stored, given: str) -> None:
    """Several ranges or nonsense cost nothing extra: the response is the whole file."""
    response = await get(imaging, f"/i/{photo.public_id}", range=given)
    assert (response.status_code, len(response.content)) == (200, len(PHOTO))


async def test_a_range_with_another_if_range_gets_the_whole_file(imaging: Imaging, photo: Stored) -> None:
    """If-Range with our tag or date gives the part, with any other the whole."""
    path = f"/i/{photo.public_id}"
    first = await get(imaging, path)
    for validator, status in ((first.headers["etag"], 206), (first.headers["last-modified"], 206), ('"x"', 200)):
        assert (await get(imaging, path, range="bytes=0-9", if_range=validator)).status_code == status


async def test_head_has_the_headers_of_get_and_no_body(imaging: Imaging, photo: Stored) -> None:
    """HEAD has the status and headers of GET, ignores ranges, and no body."""
    for query in ("", "?size=thumb"):
        path = f"/i/{photo.public_id}{query}"
        whole, head = await get(imaging, path), await imaging.public.head(path, headers={"Range": "bytes=0-1"})
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag", "cache-control", "last-modified"):
            assert head.headers[name] == whole.headers[name]


async def test_other_methods_are_405(imaging: Imaging, photo: Stored) -> None:
    """Nothing can be changed through the public side."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        response = await imaging.public.request(method, f"/i/{photo.public_id}")
        assert (response.status_code, response.headers["content-type"]) == (405, "application/problem+json")


async def test_request_headers_never_change_the_bytes(imaging: Imaging, photo: Stored) -> None:
    """A cache in front cannot be poisoned: no header that a client makes up gets into a cacheable response."""
    path = f"/i/{photo.public_id}?size=thumb"
    plain = await get(imaging, path, x_request_id="the-same-request")
    odd = {
        "host": "evil.example", "x_forwarded_host": "evil.example", "x_forwarded_proto": "gopher",
        "forwarded": "host=evil.example", "x_original_url": "/i/other", "x_rewrite_url": "/i/other",
        "accept": "text/html", "accept_language": "de", "cookie": "a=b", "x_http_method_override": "DELETE",
        "user_agent": "evil.example",
    }  # fmt: skip
    for name, value in odd.items():
        response = await get(imaging, path, x_request_id="the-same-request", **{name: value})
        assert (response.status_code, response.content, response.headers) == (200, plain.content, plain.headers), name


async def views_of(imaging: Imaging, stored: Stored) -> list[tuple[object, ...]]:
    return imaging.tenant.execute(
        "SELECT variant, bytes, status, referrer_host, user_agent FROM view_events WHERE image_id = %(id)s ORDER BY id",
        {"id": stored.image},
    )


async def test_views_are_counted_once_each(imaging: Imaging, photo: Stored) -> None:
    """Looking at an image is one view, with size and referring host; HEAD, 304, info and later parts are none."""
    path = f"/i/{photo.public_id}"
    tag = (await get(imaging, path, referer="https://blog.example/secret?token=1", user_agent="tester")).headers["etag"]
    thumb = await get(imaging, f"/{photo.public_id}_thumb.jpg", user_agent="x" * 999)
    await get(imaging, path, range="bytes=0-9", user_agent="")
    await get(imaging, path, range="bytes=10-19")
    await get(imaging, path, if_none_match=tag)
    await imaging.public.head(path)
    await get(imaging, f"/info/{photo.public_id}")

    async def counted() -> bool:
        return (await get(imaging, f"/info/{photo.public_id}")).json()["views"] == 3

    await eventually(counted, why="three views reach /info")
    assert await views_of(imaging, photo) == [
        ("original", len(PHOTO), 200, "blog.example", "tester"),
        ("thumb", len(thumb.content), 200, None, "x" * 256),
        ("original", 10, 206, None, None),
    ]


async def test_a_missing_variant_is_regenerated(imaging: Imaging, photo: Stored) -> None:
    """When the store lost sizes, they come back from the original byte for byte, under the same tag, and are stored."""
    path = f"/i/{photo.public_id}?size=small"
    before = await get(imaging, path)
    everything = await imaging.stored_keys(photo.image)
    await imaging.lose(photo, "variants/", "mezzanine")
    response = await get(imaging, path)
    assert (response.status_code, response.content) == (200, before.content)
    assert response.headers["etag"] == before.headers["etag"]
    assert await imaging.stored_keys(photo.image) == everything
    assert await imaging.metric("imghost_imaging_variants_regenerated_total") == 1


async def test_a_variant_is_regenerated_from_the_mezzanine_without_the_original(
    imaging: Imaging, photo: Stored
) -> None:
    """When original and size are lost, the size is made from the mezzanine and looks the same."""
    path = f"/i/{photo.public_id}?size=small"
    before = (await get(imaging, path)).content
    await imaging.lose(photo, "variants/small", "original/")
    response = await get(imaging, path)
    assert response.status_code == 200
    assert image_similarity.difference(image_similarity.pixels(response.content), image_similarity.pixels(before)) < 3
    assert "variants/small.jpg" in await imaging.stored_keys(photo.image)


async def test_a_missing_animated_variant_is_regenerated(imaging: Imaging) -> None:
    """From an animated mezzanine a size moves again, and the thumb is a still again."""
    stored = await imaging.upload(sample_images.gif(5, 500, 300), "a.gif")
    for size, frames in (("small", 5), ("thumb", 1)):
        await imaging.lose(stored, f"variants/{size}", "original/")
        body = (await get(imaging, f"/i/{stored.public_id}?size={size}")).content
        assert body.count(b"ANMF") == (frames if frames > 1 else 0)


async def test_concurrent_requests_regenerate_a_variant_once(imaging: Imaging, photo: Stored) -> None:
    """Thirty concurrent requests for a lost size all get it, and it is rendered once."""
    await imaging.lose(photo, "variants/medium")
    path = f"/i/{photo.public_id}?size=medium"
    answers = await asyncio.gather(*(get(imaging, path) for _ in range(30)))
    assert {response.status_code for response in answers} == {200}
    assert len({response.content for response in answers}) == 1
    assert await imaging.metric('imghost_imaging_render_seconds_count{op="renditions"}') == 2  # with ingest's


async def test_an_image_whose_objects_are_missing_is_404(imaging: Imaging, photo: Stored) -> None:
    """Between a delete in the store and in the database an image is simply not there; no 500, nothing counted."""
    await imaging.lose(photo, "")
    for query in ("", "?size=thumb"):
        response = await get(imaging, f"/i/{photo.public_id}{query}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert await views_of(imaging, photo) == []
