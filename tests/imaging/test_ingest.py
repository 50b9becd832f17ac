"""Ingest through the real ops app: verdicts, what is stored, and what is not."""

import uuid
from collections.abc import Callable

import pytest

from imghost_core import object_keys
from imghost_core.contract.ingest import Ingested
from imghost_core.object_keys import VARIANT_NAMES
from imghost_core.settings import StoreSettings
from support import hostile, image_similarity, sample_images
from support.imaging import Imaging, ImagingDatabase, running

Make = Callable[[], bytes]
"""Makes a body when its test runs: images take time, also in a run that leaves these tests out."""
RENDITIONS = {"mezzanine", *(f"variants/{name}" for name in VARIANT_NAMES)}


async def refuse(imaging: Imaging, body: bytes, status: int, code: str) -> str:
    """Ingest `body`, expect this refusal and that nothing was stored; returns the detail."""
    request = await imaging.put(body)
    response = await imaging.ingest(request)
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), problem
    assert response.headers["content-type"] == "application/problem+json"
    assert await imaging.stored_keys(request["image"]) == [f"original/{request['sha256']}"]
    return str(problem["detail"])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: sample_images.photo(1920, 1440), ("jpeg", "image/jpeg", "jpg", "jpg", 1920, 1440, 1)),
        (sample_images.png, ("png", "image/png", "png", "jpg", 320, 240, 1)),
        (lambda: sample_images.png(alpha=True), ("png", "image/png", "png", "webp", 320, 240, 1)),
        (lambda: sample_images.gif(6), ("gif", "image/gif", "gif", "webp", 160, 120, 6)),
        (lambda: sample_images.webp(1), ("webp", "image/webp", "webp", "jpg", 160, 120, 1)),
        (lambda: sample_images.webp(6), ("webp", "image/webp", "webp", "webp", 160, 120, 6)),
        (lambda: sample_images.exif_photo(6), ("jpeg", "image/jpeg", "jpg", "jpg", 480, 640, 1)),
    ],
    ids=["jpeg", "png", "png-alpha", "gif-animated", "webp", "webp-animated", "jpeg-turned"],
)
async def test_ingest_detects_the_format_and_stores_all_renditions(
    imaging: Imaging, make: Make, expected: tuple[object, ...]
) -> None:
    """The verdict comes from the content; mezzanine and four variants are in the store when it is given."""
    request = await imaging.put(make())
    response = await imaging.ingest(request)
    assert (response.status_code, response.headers["cache-control"]) == (200, "no-store"), response.text
    found = Ingested.model_validate_json(response.content)
    assert tuple(found.model_dump(exclude={"variant_bytes", "delivered_filter", "delivered_size"}).values()) == expected
    stored = await imaging.stored_keys(request["image"])
    made = [key for key in stored if not key.startswith(("original/", "delivered/"))]
    assert {key.rpartition(".")[0] for key in made} == RENDITIONS
    assert all(key.endswith(f".{found.variant_extension}") for key in made)


@pytest.mark.parametrize("name", sorted(hostile.unsupported_formats()))
async def test_unsupported_formats_are_rejected(imaging: Imaging, name: str) -> None:
    """Whatever is not one of the hosted formats is 415, and the response lists what to send instead."""
    detail = await refuse(imaging, hostile.unsupported_formats()[name], 415, "unsupported_format")
    assert "jpeg, png, gif, webp" in detail


@pytest.mark.parametrize("body", [hostile.svg_external(), hostile.svg_xxe(), hostile.svg_laughs()])
async def test_svg_is_rejected_without_being_parsed(imaging: Imaging, body: bytes) -> None:
    """SVG with a link to a server, an entity of a file, or a billion laughs is named and refused."""
    assert "SVG" in await refuse(imaging, body, 415, "unsupported_format")


async def test_a_disabled_format_is_rejected(imaging: Imaging) -> None:
    """AVIF is opt-in: by default a good AVIF is 415, and its loader stays shut."""
    assert "AVIF" in await refuse(imaging, sample_images.photo(64, 48, "avif"), 415, "unsupported_format")


async def test_avif_is_accepted_when_enabled(tenant: ImagingDatabase, storage: StoreSettings) -> None:
    """With AVIF in FORMATS it is hosted like the others."""
    async with running(tenant, storage, formats="jpeg,avif") as service:
        request = await service.put(sample_images.photo(320, 240, "avif"))
        assert (await service.ingest(request)).json()["format"] == "avif"


TRUNCATED: dict[str, Make] = {
    "jpeg": sample_images.photo,
    "jpeg-progressive": lambda: sample_images.photo(interlace=True),
    "png": sample_images.png,
    "png-interlaced": lambda: sample_images.png(interlace=True),
    "gif": sample_images.gif,
    "gif-animated": lambda: sample_images.gif(8),
    "webp": lambda: sample_images.photo(format="webp"),
    "webp-animated": lambda: sample_images.webp(8),
}


@pytest.mark.parametrize("percent", [10, 50, 99])
@pytest.mark.parametrize("name", TRUNCATED)
async def test_truncated_files_are_corrupt(imaging: Imaging, name: str, percent: int) -> None:
    """A file cut off after 10, 50 or 99 % is 422 corrupt_image, in every format."""
    await refuse(imaging, hostile.truncate(TRUNCATED[name](), percent), 422, "corrupt_image")


@pytest.mark.parametrize("percent", [10, 50, 99])
async def test_truncated_avif_is_corrupt(tenant: ImagingDatabase, storage: StoreSettings, percent: int) -> None:
    """The same for AVIF where it is switched on."""
    async with running(tenant, storage, formats="avif") as service:
        await refuse(service, hostile.truncate(sample_images.photo(format="avif"), percent), 422, "corrupt_image")


@pytest.mark.parametrize(
    "make",
    [
        hostile.bomb_png,
        hostile.jpeg_claiming,
        lambda: hostile.gif_frames(1, 65535, 65535),
        lambda: hostile.gif_frames(200, 1000, 1000),
    ],
    ids=["png-30000", "jpeg-64250", "gif-canvas", "gif-frames-times-pixels"],
)
async def test_decompression_bombs_are_rejected_by_their_header(imaging: Imaging, make: Make) -> None:
    """Too many pixels, counted over all frames, is 422 with the numbers, before anything is decoded."""
    detail = await refuse(imaging, make(), 422, "too_many_pixels")
    assert "100,000,000" in detail
    assert await imaging.metric('imghost_imaging_render_seconds_count{op="renditions"}') == 0


async def test_a_gif_with_too_many_frames_is_rejected(imaging: Imaging) -> None:
    """A GIF of 10,000 frames is 422 too_many_frames."""
    assert "300" in await refuse(imaging, hostile.gif_frames(10_000), 422, "too_many_frames")


async def test_a_webp_with_too_many_frames_is_rejected(tenant: ImagingDatabase, storage: StoreSettings) -> None:
    """The frame limit holds for WebP as well, and follows MAX_FRAMES."""
    async with running(tenant, storage, max_frames=5) as service:
        assert "5 frames" in await refuse(service, sample_images.webp(6), 422, "too_many_frames")


@pytest.mark.parametrize(
    "make",
    [
        hostile.polyglot_zip,
        lambda: hostile.polyglot_zip(comment=b"the comment of the archive"),
        lambda: hostile.polyglot_zip(sample_images.png()),
        hostile.polyglot_gif_js,
        hostile.polyglot_png_php,
        hostile.polyglot_jpeg_html,
        hostile.polyglot_pdf,
    ],
    ids=["jpeg-zip", "jpeg-zip-comment", "png-zip", "gif-js", "png-php", "jpeg-html", "jpeg-pdf"],
)
async def test_images_with_embedded_content_are_rejected(imaging: Imaging, make: Make) -> None:
    """An image that is an archive, a script, a page or a document as well is 422 polyglot."""
    await refuse(imaging, make(), 422, "polyglot")


@pytest.mark.parametrize("body", [b"\xff", b"\n", b"GIF8"])
async def test_files_too_short_for_a_signature_are_unsupported(imaging: Imaging, body: bytes) -> None:
    """A byte or four are no image."""
    await refuse(imaging, body, 415, "unsupported_format")


@pytest.mark.parametrize("body", [b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\0\0\0\0WEBPVP8 "])
async def test_a_file_that_ends_after_its_signature_is_corrupt(imaging: Imaging, body: bytes) -> None:
    """The first bytes of a format and nothing behind them are a damaged image."""
    await refuse(imaging, body, 422, "corrupt_image")


async def test_large_originals_are_rejected_before_they_are_read(
    tenant: ImagingDatabase, storage: StoreSettings
) -> None:
    """More than MAX_INPUT_BYTES is 413 with both numbers."""
    async with running(tenant, storage, max_input_bytes=1024 * 1024) as service:
        detail = await refuse(service, b"\xff\xd8\xff" + b"\0" * 1024 * 1024, 413, "too_large")
        assert "at most 1.0 MiB" in detail


@pytest.mark.parametrize(
    "make",
    [
        sample_images.phone_photo,
        lambda: sample_images.with_xmp(sample_images.photo()),
        sample_images.cmyk,
        sample_images.png16,
        sample_images.grey,
        lambda: sample_images.grey(format="png"),
        hostile.broken_exif,
        hostile.broken_icc,
        lambda: hostile.broken_icc("png"),
        lambda: sample_images.photo(1, 4000, "png"),
        lambda: sample_images.photo(4000, 1),
    ],
    ids=["phone", "xmp", "cmyk", "16-bit", "grey", "grey-png", "exif", "icc", "icc-png", "column", "row"],
)
async def test_unusual_valid_images_are_accepted(imaging: Imaging, make: Make) -> None:
    """Phone photographs with films behind them, print colours, broken metadata: people have them, we host them."""
    response = await imaging.ingest(await imaging.put(make()))
    assert response.status_code == 200, response.text


def commented(letter: bytes) -> bytes:
    """A photograph with a comment of one letter: of the same size whatever the letter."""
    photo = sample_images.photo()
    return photo[:2] + b"\xff\xfe\0\x03" + letter + photo[2:]


@pytest.mark.parametrize(
    "make", [lambda: commented(b"b"), lambda: sample_images.photo(64, 48)], ids=["same size", "other size"]
)
async def test_an_original_that_differs_from_the_announced_one_is_rejected(imaging: Imaging, make: Make) -> None:
    """If the store holds other bytes than api hashed, although they are a good image, nothing is made of them; sending
    again helps.
    """
    request = await imaging.put(commented(b"a"))
    key = object_keys.original(imaging.tenant.workspace, uuid.UUID(request["image"]), request["sha256"])
    await imaging.store.put(key, make(), content_type="application/octet-stream")
    response = await imaging.ingest(request)
    assert (response.status_code, response.json()["code"]) == (503, "original_differs")
    assert response.headers["retry-after"] == "1"
    assert await imaging.stored_keys(request["image"]) == [f"original/{request['sha256']}"]


async def test_an_original_of_another_size_than_announced_is_rejected(imaging: Imaging) -> None:
    """A size that is not that of the stored bytes is rejected, also when the hash is theirs."""
    request = await imaging.put(sample_images.photo())
    response = await imaging.ingest(request | {"size": request["size"] + 1})
    assert (response.status_code, response.json()["code"]) == (503, "original_differs")


async def test_ingest_of_a_missing_original_is_404(imaging: Imaging) -> None:
    """Ingest of what was never stored is 404 object_missing."""
    request = await imaging.put(sample_images.photo())
    response = await imaging.ingest(request | {"image": str(uuid.uuid4())})
    assert (response.status_code, response.json()["code"]) == (404, "object_missing")


async def test_renditions_have_no_metadata(imaging: Imaging) -> None:
    """GPS, artist and all other EXIF are in the original alone, never in what is made of it."""
    photo = sample_images.with_exif(
        sample_images.with_xmp(sample_images.photo(1800, 1200)), orientation=6, gps=(48.2, 16.37)
    )
    request = await imaging.put(photo)
    assert (await imaging.ingest(request)).status_code == 200
    keys = await imaging.stored_keys(request["image"])
    made = [key for key in keys if not key.startswith(("original/", "delivered/"))]
    assert len(made) == 5
    for key in made:
        body = await imaging.store.get(f"w/{request['workspace']}/{request['image']}/{key}")
        assert not any(trace in body for trace in (b"Exif", b"xmpmeta", b"ICC_PROFILE", sample_images.ARTIST.encode()))
        assert image_similarity.pixels(body).shape[0] > image_similarity.pixels(body).shape[1]


@pytest.mark.parametrize("token", ["", "wrong", "test-token-of-the-internal-dooR"])
async def test_ingest_requires_the_internal_token(imaging: Imaging, token: str) -> None:
    """Without the right bearer token ingest is 401 and touches nothing."""
    request = await imaging.put(sample_images.photo())
    response = await imaging.ingest(request, token)
    assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
    assert len(await imaging.stored_keys(request["image"])) == 1


async def test_ingest_and_metrics_are_not_on_the_public_listener(imaging: Imaging) -> None:
    """Neither ingest nor metrics can be reached through the public listener."""
    assert (await imaging.public.post("/internal/ingest")).status_code == 404
    assert (await imaging.public.get("/metrics")).status_code == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"", 400), (b"{", 400), (b"[]", 400), (b'{"workspace": 1}', 400), (b'{"a": "' + b"x" * 5000 + b'"}', 413)],
)
async def test_malformed_ingest_requests_are_rejected(imaging: Imaging, body: bytes, status: int) -> None:
    """A body that is no ingest request is refused without echoing it; an oversized one is not even read."""
    response = await imaging.ops.post(
        "/internal/ingest", content=body, headers={"Authorization": "Bearer test-token-of-the-internal-door"}
    )
    assert response.status_code == status, response.text
    assert "xxxx" not in response.text


async def test_rejections_are_counted_by_error_code(imaging: Imaging) -> None:
    """Rejects and ingest times are metrics, and the request id given by api comes back."""
    request = await imaging.put(hostile.polyglot_zip())
    response = await imaging.ingest(request)
    assert response.headers["x-request-id"] == "request-from-api" == response.json()["request_id"]
    assert await imaging.metric('imghost_imaging_rejects_total{reason="polyglot"}') == 1
    assert await imaging.metric('imghost_imaging_ingest_seconds_count{outcome="polyglot"}') == 1
