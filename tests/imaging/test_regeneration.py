"""Variants that the store has lost are rendered again when they are requested."""

import asyncio

from support import image_similarity, sample_images
from support.imaging import Imaging, Stored


async def test_a_missing_variant_is_regenerated(imaging: Imaging, photo: Stored) -> None:
    """When the store lost sizes, they come back from the original byte for byte, under the same tag, and are stored."""
    path = f"/i/{photo.public_id}?size=small"
    before = await imaging.get(path)
    everything = await imaging.stored_keys(photo.image)
    await imaging.lose(photo, "variants/", "mezzanine")
    response = await imaging.get(path)
    assert (response.status_code, response.content) == (200, before.content)
    assert response.headers["etag"] == before.headers["etag"]
    assert await imaging.stored_keys(photo.image) == everything
    assert await imaging.metric("imghost_imaging_variants_regenerated_total") == 1


async def test_a_variant_is_regenerated_from_the_mezzanine_without_the_original(
    imaging: Imaging, photo: Stored
) -> None:
    """When original and size are lost, the size is made from the mezzanine and looks the same."""
    path = f"/i/{photo.public_id}?size=small"
    before = (await imaging.get(path)).content
    await imaging.lose(photo, "variants/small", "original/")
    response = await imaging.get(path)
    assert response.status_code == 200
    assert image_similarity.difference(image_similarity.pixels(response.content), image_similarity.pixels(before)) < 3
    assert "variants/small.jpg" in await imaging.stored_keys(photo.image)


async def test_a_missing_animated_variant_is_regenerated(imaging: Imaging) -> None:
    """From an animated mezzanine a size moves again, and the thumb is a still again."""
    stored = await imaging.upload(sample_images.gif(5, 500, 300), "a.gif")
    for size, frames in (("small", 5), ("thumb", 1)):
        await imaging.lose(stored, f"variants/{size}", "original/")
        body = (await imaging.get(f"/i/{stored.public_id}?size={size}")).content
        assert body.count(b"ANMF") == (frames if frames > 1 else 0)


async def test_concurrent_requests_regenerate_a_variant_once(imaging: Imaging, photo: Stored) -> None:
    """Thirty concurrent requests for a lost size all get it, and it is rendered once."""
    await imaging.lose(photo, "variants/medium")
    path = f"/i/{photo.public_id}?size=medium"
    responses = await asyncio.gather(*(imaging.get(path) for _ in range(30)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.content for response in responses}) == 1
    assert await imaging.metric('imghost_imaging_render_seconds_count{op="renditions"}') == 2  # with ingest's


async def test_an_image_whose_objects_are_missing_is_404(imaging: Imaging, photo: Stored) -> None:
    """Between a delete in the store and in the database an image is simply not there; no 500, nothing counted."""
    await imaging.lose(photo, "")
    for query in ("", "?size=thumb"):
        response = await imaging.get(f"/i/{photo.public_id}{query}")
        assert (response.status_code, response.json()["code"]) == (404, "not_found")
    assert await imaging.view_events(photo) == []
