"""Conditions, ranges and HEAD on delivered images."""

import pytest

from imghost_core.object_keys import VARIANT_NAMES
from support import sample_images
from support.imaging import Imaging, Stored


async def test_an_unchanged_image_is_not_sent_again(imaging: Imaging, photo: Stored) -> None:
    """If-None-Match with the tag, in a list, weak or `*`, is 304 without a body; another tag is 200."""
    path = f"/i/{photo.public_id}?size=small"
    tag = (await imaging.get(path)).headers["etag"]
    for given in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        response = await imaging.get(path, if_none_match=given)
        assert (response.status_code, response.content, response.headers["etag"]) == (304, b"", tag)
    assert (await imaging.get(path, if_none_match='"other"')).status_code == 200


async def test_if_modified_since_works_without_a_tag(imaging: Imaging, photo: Stored) -> None:
    """If-Modified-Since with the Last-Modified we sent is 304; with If-None-Match as well, the tag decides."""
    path = f"/i/{photo.public_id}"
    modified = (await imaging.get(path)).headers["last-modified"]
    assert (await imaging.get(path, if_modified_since=modified)).status_code == 304
    assert (await imaging.get(path, if_modified_since=modified, if_none_match='"x"')).status_code == 200
    assert (await imaging.get(path, if_modified_since="Mon, 01 Jan 2001 00:00:00 GMT")).status_code == 200


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
    whole = (await imaging.get(path)).content
    for given, start, end in (
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(whole)),
        ("bytes=-50", len(whole) - 50, len(whole)),
        (f"bytes=10-{len(whole) * 9}", 10, len(whole)),
    ):
        response = await imaging.get(path, range=given)
        assert (response.status_code, response.content) == (206, whole[start:end])
        assert response.headers["content-range"] == f"bytes {start}-{end - 1}/{len(whole)}"
        assert response.headers["content-length"] == str(end - start)


async def test_a_range_beyond_the_end_is_416(imaging: Imaging, photo: Stored) -> None:
    """A range that cannot be satisfied is 416 with the size."""
    for given in (f"bytes={len(photo.body)}-", "bytes=-0", "bytes=99999999999999999999-"):
        response = await imaging.get(f"/i/{photo.public_id}", range=given)
        assert (response.status_code, response.headers["content-range"]) == (416, f"bytes */{len(photo.body)}")


@pytest.mark.parametrize(
    "given", ["bytes=0-1,5-6", "bytes=" + ",".join(["0-"] * 10_000), "bytes=9-3", "bytes=", "bytes=a-b", "pages=1-2"]
)
async def test_several_or_malformed_ranges_get_the_whole_file(imaging: Imaging, photo: Stored, given: str) -> None:
    """Several ranges or nonsense cost nothing extra: the response is the whole file."""
    response = await imaging.get(f"/i/{photo.public_id}", range=given)
    assert (response.status_code, len(response.content)) == (200, len(photo.body))


async def test_a_range_with_another_if_range_gets_the_whole_file(imaging: Imaging, photo: Stored) -> None:
    """If-Range with our tag or date gives the part, with any other the whole."""
    path = f"/i/{photo.public_id}"
    first = await imaging.get(path)
    for validator, status in ((first.headers["etag"], 206), (first.headers["last-modified"], 206), ('"x"', 200)):
        assert (await imaging.get(path, range="bytes=0-9", if_range=validator)).status_code == status


async def test_head_has_the_headers_of_get_and_no_body(imaging: Imaging, photo: Stored) -> None:
    """HEAD has the status and headers of GET, ignores ranges, and no body."""
    for query in ("", "?size=thumb"):
        path = f"/i/{photo.public_id}{query}"
        whole, head = await imaging.get(path), await imaging.public.head(path, headers={"Range": "bytes=0-1"})
        assert (head.status_code, head.content) == (200, b"")
        for name in ("content-length", "content-type", "etag", "cache-control", "last-modified"):
            assert head.headers[name] == whole.headers[name]


@pytest.mark.parametrize("query", ["", "?size=small"])
async def test_a_failed_precondition_is_412(imaging: Imaging, photo: Stored, query: str) -> None:
    """If-Match with another tag and If-Unmodified-Since with an earlier date are 412; with ours the image is sent."""
    path = f"/i/{photo.public_id}{query}"
    first = await imaging.public.head(path)
    tag, modified = first.headers["etag"], first.headers["last-modified"]
    for failing in (
        {"if_match": '"x"'},
        {"if_match": f"W/{tag}"},
        {"if_unmodified_since": "Mon, 01 Jan 2001 00:00:00 GMT"},
    ):
        response = await imaging.get(path, **failing, if_none_match=tag)
        assert (response.status_code, response.json()["code"]) == (412, "precondition_failed")
        assert response.headers["etag"] == tag
    for holding in ({"if_match": f'"x", {tag}'}, {"if_match": "*"}, {"if_unmodified_since": modified}):
        assert (await imaging.get(path, **holding)).status_code == 200
        assert (await imaging.get(path, **holding, range="bytes=0-1")).status_code == 206
        assert (await imaging.get(path, **holding, if_none_match=tag)).status_code == 304
