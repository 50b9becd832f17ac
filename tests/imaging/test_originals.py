"""Originals as the public gets them: without metadata unless the workspace or the tenant keeps them."""

import asyncio
from collections.abc import Callable, Iterator

import pytest

from imghost_core import object_keys
from imghost_core.settings import StoreSettings
from support import image_similarity, private_metadata, sample_images
from support.imaging import Imaging, ImagingDatabase, Stored, running
from support.private_metadata import CANARY, NOTICE, SAMPLES

FORGET = "UPDATE images SET delivered_filter = NULL, delivered_size = NULL WHERE id = %(id)s"


def set_policy(imaging: Imaging, policy: str | None) -> None:
    """Set the policy of the workspace, as its settings do; None is the tenant's."""
    values = {"id": imaging.tenant.workspace, "policy": policy}
    imaging.tenant.execute("UPDATE workspaces SET metadata_policy = %(policy)s WHERE id = %(id)s", values)


@pytest.fixture
def policy(imaging: Imaging) -> Iterator[Callable[[str], None]]:
    """Changes the policy of the shared workspace for one test."""
    yield lambda wanted: set_policy(imaging, wanted)
    set_policy(imaging, None)


@pytest.mark.parametrize("name", SAMPLES)
async def test_nothing_delivered_has_metadata(tenant: ImagingDatabase, storage: StoreSettings, name: str) -> None:
    """Original, ranges of it and all variants carry no piece of what was uploaded in addition to the image."""
    async with running(tenant, storage, formats="jpeg,png,gif,webp,avif") as imaging:
        stored = await imaging.upload(SAMPLES[name][1]())
        extension = stored.found.extension
        whole = await imaging.get(f"/{stored.public_id}.{extension}")
        assert (whole.status_code, int(whole.headers["content-length"])) == (200, len(whole.content))
        assert whole.content == (await imaging.get(f"/i/{stored.public_id}")).content
        for size in object_keys.VARIANT_NAMES:
            variant = await imaging.get(f"/i/{stored.public_id}?size={size}")
            assert variant.status_code == 200
            assert CANARY not in variant.content
        assert CANARY not in whole.content
        part = await imaging.get(f"/i/{stored.public_id}", range="bytes=10-99999999")
        assert part.content == whole.content[10:]
        head = await imaging.public.head(f"/i/{stored.public_id}")
        assert head.headers["content-length"] == whole.headers["content-length"]
        assert (await imaging.get(f"/i/{stored.public_id}", if_none_match=head.headers["etag"])).status_code == 304


async def test_the_stored_original_stays_exact(imaging: Imaging) -> None:
    """What was uploaded is kept in the store under its hash; what is delivered is an object of its own."""
    stored = await imaging.upload(private_metadata.jpeg())
    keys = await imaging.stored_keys(stored.image)
    assert "delivered/1" in keys
    original = next(key for key in keys if key.startswith("original/"))
    prefix = object_keys.image_prefix(imaging.tenant.workspace, stored.image)
    assert await imaging.store.get(prefix + original) == stored.body


async def test_an_original_without_metadata_is_not_stored_twice(imaging: Imaging, photo: Stored) -> None:
    """Nothing to remove: the original itself is delivered."""
    assert not [key for key in await imaging.stored_keys(photo.image) if key.startswith("delivered/")]
    assert (await imaging.get(f"/i/{photo.public_id}")).content == photo.body


async def test_a_change_of_policy_is_seen_immediately(imaging: Imaging, policy: Callable[[str], None]) -> None:
    """With `keep` the original is delivered as uploaded, with `owner` or `strip` without metadata, under other tags."""
    stored = await imaging.upload(private_metadata.jpeg())
    seen = {}
    for wanted in ("keep", "strip", "owner"):
        policy(wanted)
        response = await imaging.get(f"/i/{stored.public_id}")
        seen[wanted] = (response.content == stored.body, CANARY in response.content, response.headers["etag"])
    assert seen["keep"][:2] == (True, True)
    assert seen["strip"] == seen["owner"]
    assert seen["strip"][:2] == (False, False)
    assert seen["strip"][2] != seen["keep"][2]


async def test_an_upload_under_keep_loses_its_metadata_when_the_policy_changes(
    imaging: Imaging, policy: Callable[[str], None]
) -> None:
    """Nothing is made at upload while metadata is kept; it is made on the first request after the change."""
    request = await imaging.put(private_metadata.jpeg())
    found = (await imaging.ingest(request | {"metadata_policy": "keep"})).json()
    assert (found["delivered_filter"], found["delivered_size"]) == (None, None)
    policy("keep")
    stored = await imaging.upload(private_metadata.jpeg())
    imaging.tenant.execute(FORGET, {"id": stored.image})
    await imaging.lose(stored, "delivered/")
    policy("strip")
    assert CANARY not in (await imaging.get(f"/i/{stored.public_id}")).content


@pytest.mark.parametrize("name", ["jpeg-turned", "png", "gif-animated", "webp"])
async def test_an_image_taken_before_is_delivered_without_metadata(imaging: Imaging, name: str) -> None:
    """For images of an earlier release, the object is made once, on the first request, and found from then on."""
    stored = await imaging.upload(SAMPLES[name][1]())
    expected = (await imaging.get(f"/i/{stored.public_id}")).content
    imaging.tenant.execute(FORGET, {"id": stored.image})
    await imaging.lose(stored, "delivered/")
    head = await imaging.public.head(f"/i/{stored.public_id}")
    assert int(head.headers["content-length"]) == len(expected)
    assert "delivered/1" in await imaging.stored_keys(stored.image)
    await imaging.lose(stored, "original/")
    response = await imaging.get(f"/i/{stored.public_id}")
    assert (response.content, response.headers["etag"]) == (expected, head.headers["etag"])


async def test_an_image_taken_before_that_has_no_metadata_is_delivered_itself(imaging: Imaging, photo: Stored) -> None:
    """An empty object remembers that there is nothing to remove."""
    imaging.tenant.execute(FORGET, {"id": photo.image})
    for _ in range(2):
        assert (await imaging.get(f"/i/{photo.public_id}")).content == photo.body
    key = object_keys.delivered(imaging.tenant.workspace, photo.image, "1")
    assert await imaging.store.get(key) == b""


async def test_a_lost_object_is_made_again(imaging: Imaging) -> None:
    """When the store has lost what is delivered, thirty concurrent requests get it, from one run."""
    stored = await imaging.upload(private_metadata.jpeg())
    expected = (await imaging.get(f"/i/{stored.public_id}")).content
    await imaging.lose(stored, "delivered/")
    responses = await asyncio.gather(*(imaging.get(f"/i/{stored.public_id}") for _ in range(30)))
    assert {(response.status_code, response.content) for response in responses} == {(200, expected)}
    await imaging.lose(stored, "delivered/", "original/")
    assert (await imaging.get(f"/i/{stored.public_id}")).status_code == 404


async def test_a_file_whose_metadata_cannot_be_removed_is_refused(
    tenant: ImagingDatabase, storage: StoreSettings
) -> None:
    """Where the structure does not show what is metadata, ingest is 422 with the reason, and stores nothing."""
    async with running(tenant, storage, formats="avif") as imaging:
        request = await imaging.put(private_metadata.avif() + b"tail")
        response = await imaging.ingest(request)
        assert (response.status_code, response.json()["code"]) == (422, "metadata_not_removable")
        assert await imaging.stored_keys(request["image"]) == [f"original/{request['sha256']}"]
        kept = await imaging.ingest(request | {"metadata_policy": "keep"})
        assert kept.status_code == 200, "with the policy to keep metadata there is nothing to remove"


async def test_such_a_file_taken_before_is_delivered_as_a_variant(
    tenant: ImagingDatabase, storage: StoreSettings
) -> None:
    """An original from an earlier release that cannot be filtered leads to its largest variant."""
    async with running(tenant, storage, formats="jpeg,webp,avif", metadata_policy="keep") as imaging:
        stored = await imaging.upload(private_metadata.avif() + b"tail")
    async with running(tenant, storage, formats="jpeg,webp,avif") as imaging:
        response = await imaging.get(f"/{stored.public_id}.avif")
        assert (response.status_code, response.headers["cache-control"]) == (307, "no-store")
        variant = await imaging.get(response.headers["location"])
    assert (variant.status_code, image_similarity.pixels(variant.content).shape) == (200, (48, 64, 3))


async def test_the_policy_of_the_tenant_is_the_default(tenant: ImagingDatabase, storage: StoreSettings) -> None:
    """METADATA_POLICY=keep delivers originals as uploaded; a copyright notice stays with KEEP_COPYRIGHT."""
    async with running(tenant, storage, metadata_policy="keep") as imaging:
        stored = await imaging.upload(private_metadata.jpeg())
        assert (await imaging.get(f"/i/{stored.public_id}")).content == stored.body
    async with running(tenant, storage, keep_copyright=True) as imaging:
        content = (await imaging.get(f"/i/{stored.public_id}")).content
    assert NOTICE in content
    assert CANARY not in content
    async with running(tenant, storage) as imaging:
        assert NOTICE not in (await imaging.get(f"/i/{stored.public_id}")).content


async def test_photographs_of_phones_are_taken(imaging: Imaging) -> None:
    """EXIF, XMP, an MPF index, a second JPEG and a film: all are removed, and the photograph is delivered."""
    stored = await imaging.upload(sample_images.phone_photo())
    content = (await imaging.get(f"/i/{stored.public_id}")).content
    assert not any(trace in content for trace in (b"Exif", b"MPF", b"ftyp", b"moov", b"xmpmeta"))
    assert image_similarity.difference(image_similarity.pixels(content), image_similarity.pixels(stored.body)) == 0
