"""The sizes of an image: how large, how alike, which way up, and made of what."""

from functools import cache

import numpy as np
import pytest
import pyvips

from imghost_core.errors import Unprocessable
from imghost_imaging.formats import FORMATS, Format
from imghost_imaging.render import renditions, source
from imghost_imaging.render.limits import Limits
from imghost_imaging.render.results import Renditions
from imghost_imaging.render.sizes import ANIMATION_PIXELS, BOXES
from support import hostile, image_similarity, sample_images

BOUNDS = Limits(pixels=100_000_000, frames=300)


@cache
def build(body: bytes, kind: Format) -> Renditions:
    return renditions.render_all(source.read(body, kind, BOUNDS))


SCENE = sample_images.scene(1600, 1200, noise=2)
REFERENCE = image_similarity.of(SCENE)


@cache
def scene(kind: Format) -> bytes:
    return sample_images.encode(SCENE, kind, 92)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("size", "factor"), [("thumb", 8), ("small", 4), ("medium", 2)])
def test_every_size_of_every_format_looks_like_the_scene(kind: Format, size: str, factor: int) -> None:
    """Against the plainest reference, the mean of the scene's pixels, each size is alike in colour and structure."""
    made = image_similarity.pixels(build(scene(kind), kind).variants[size])  # type: ignore[index]
    reference = image_similarity.average(REFERENCE, factor)
    limit = 6 if kind == "gif" else 3  # 256 colours
    assert image_similarity.difference(made, reference) < limit
    assert image_similarity.structure(made, reference) > (0.90 if kind == "gif" else 0.95)


def test_the_similarity_measure_rejects_a_different_image() -> None:
    """The measure is worth something: a shifted, a blurred and a mirrored image fail it."""
    reference = image_similarity.average(REFERENCE, 4)
    photo = sample_images.scene(400, 300, noise=20, seed=3)
    noisy = image_similarity.of(photo)
    for bad in (np.roll(noisy, 8, axis=1), image_similarity.of(photo.gaussblur(3)), noisy[:, ::-1]):
        assert image_similarity.structure(bad, noisy) < 0.9
    assert image_similarity.difference(reference[:, ::-1], reference) > 6


def test_the_mezzanine_is_at_most_1600() -> None:
    """From a larger original the mezzanine has 1600 px and looks like it."""
    scene = sample_images.scene(3200, 800, noise=2)
    made = image_similarity.pixels(build(sample_images.encode(scene, "jpeg", 92), "jpeg").mezzanine)
    assert made.shape[:2] == (400, 1600)
    assert image_similarity.difference(made, image_similarity.average(image_similarity.of(scene), 2)) < 3


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (3, 2), (199, 100), (200, 200), (401, 30), (1, 5000), (5000, 1), (1201, 1199)]
)
def test_images_are_never_enlarged(width: int, height: int) -> None:
    """Each size fits its box and the original, and keeps the proportions to the pixel."""
    made = build(sample_images.photo(width, height, "png"), "png")
    for name, box in BOXES.items():
        rows, columns = image_similarity.pixels(made.variants[name]).shape[:2]
        scale = min(1, box / max(width, height))
        assert (columns, rows) == (max(1, round(width * scale)), max(1, round(height * scale))) or (
            max(columns, rows) == box and abs(columns - width * scale) <= 1 and abs(rows - height * scale) <= 1
        )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    """However the camera was held, red is at the top left, and no EXIF orientation is left to rotate it again."""
    made = build(sample_images.rotate(orientation), "jpeg")
    for body in (made.mezzanine, *made.variants.values()):
        image = image_similarity.pixels(body)
        assert image.shape[:2] == (80, 120)
        assert image[20, 30, 0] > 200
        assert image[20, 30, 2] < 60
        assert all(image[y, x, 2] > 200 for y, x in ((20, 90), (60, 30), (60, 90)))
        assert not pyvips.Image.new_from_buffer(body, "").get_typeof("exif-data")


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_frame_of_an_animation_is_turned(orientation: int) -> None:
    """Each frame of an animated WebP is upright, red at the top left, and frames keep their order."""
    made = build(sample_images.rotate_animation(orientation), "webp")
    for name in ("large", "medium", "small"):
        image = pyvips.Image.new_from_buffer(made.variants[name], "[n=-1]")
        assert (image.width, image.get("page-height"), image.get("n-pages")) == (120, 80, 3)
        assert image.get("delay") == [50] * 3
        for number, frame in enumerate(image_similarity.of(page) for page in image.pagesplit()):
            level = 255 / (number + 1)
            assert abs(frame[20, 30, 0] - level) < 30
            assert abs(frame[60, 90, 2] - level) < 30
    thumb = image_similarity.pixels(made.variants["thumb"])
    assert (thumb.shape[:2], bool(thumb[20, 30, 0] > 200)) == ((80, 120), True)


def test_transparency_is_kept() -> None:
    """An image with alpha becomes WebP whose edge is as transparent as it was."""
    made = build(sample_images.png(alpha=True), "png")
    assert made.extension == "webp"
    alpha = pyvips.Image.new_from_buffer(made.variants["thumb"], "")[3].numpy()
    assert alpha[:, :3].max() < 12
    assert alpha[:, -3:].min() > 243


def test_a_fully_opaque_alpha_channel_is_dropped() -> None:
    """An opaque image with an alpha channel, as screenshots have it, becomes JPEG."""
    opaque = sample_images.encode(sample_images.scene(300, 200).bandjoin(255), "png")
    assert build(opaque, "png").extension == "jpg"


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (sample_images.cmyk(), "jpeg"),
        (sample_images.png16(), "png"),
        (hostile.broken_icc(), "jpeg"),
        (sample_images.grey(), "jpeg"),
    ],
    ids=["cmyk", "16-bit", "broken-icc", "grey"],
)
def test_unusual_colours_come_out_right(body: bytes, kind: Format) -> None:
    """Whatever the colours are stored as, an eye sees the same image, in plain 8-bit sRGB or grey."""
    made = pyvips.Image.new_from_buffer(build(body, kind).mezzanine, "")
    source = sample_images.scene(made.width, made.height)
    reference = image_similarity.of(source.colourspace("b-w") if made.bands == 1 else source)
    assert made.interpretation in {"srgb", "b-w"}
    assert made.format == "uchar"
    assert (
        image_similarity.difference(
            image_similarity.average(image_similarity.of(made), 4), image_similarity.average(reference, 4)
        )
        < 8
    )


def test_wide_gamut_is_converted() -> None:
    """An image in Display P3 is converted to sRGB, not just stripped of its profile: its reds get stronger."""
    scene = sample_images.scene(400, 300, noise=0)
    wide = scene.icc_export(output_profile="p3") if scene.interpretation == "lab" else scene.icc_transform("p3")
    made = image_similarity.pixels(build(wide.jpegsave_buffer(Q=95, keep="icc"), "jpeg").mezzanine)
    assert image_similarity.difference(made, image_similarity.of(scene)) < 3
    assert image_similarity.difference(image_similarity.of(wide), image_similarity.of(scene)) > 4


@pytest.mark.parametrize(("make", "kind"), [(sample_images.gif, "gif"), (sample_images.webp, "webp")])
def test_animations_keep_their_frames_except_in_the_thumb(make: object, kind: Format) -> None:
    """Sizes of an animation are animated WebP with all frames at their pace; the thumb is the first frame alone."""
    made = build(make(5, 300, 200), kind)  # type: ignore[operator]
    assert made.extension == "webp"
    for name in ("large", "medium", "small"):
        image = pyvips.Image.new_from_buffer(made.variants[name], "[n=-1]")  # type: ignore[index]
        assert (image.get("n-pages"), image.get("delay")) == (5, [50] * 5)
    thumb = pyvips.Image.new_from_buffer(made.variants["thumb"], "")
    assert (thumb.width, thumb.height) == (200, 133)
    assert not thumb.get_typeof("n-pages") or thumb.get("n-pages") == 1
    original = image_similarity.pixels(make(5, 300, 200))  # type: ignore[operator]
    still = image_similarity.of(pyvips.Image.new_from_buffer(made.variants["thumb"], ""))
    assert (
        image_similarity.difference(image_similarity.average(still, 4), image_similarity.average(_shrunk(original), 4))
        < 8
    )


def _shrunk(image: image_similarity.Pixels) -> image_similarity.Pixels:
    image = pyvips.Image.new_from_array(image.astype(np.uint8)).copy(interpretation="srgb")
    return image_similarity.of(image.thumbnail_image(200))


def test_a_large_animation_is_scaled_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """All frames of an animated size together stay below the budget; it shrinks and goes on moving."""
    monkeypatch.setattr(renditions, "ANIMATION_PIXELS", 10 * 160 * 120 // 4)
    body = sample_images.gif(10)
    made = renditions.render_all(source.read(body, "gif", BOUNDS))
    large = pyvips.Image.new_from_buffer(made.variants["large"], "")
    assert (large.width, large.height, large.get("n-pages")) == (80, 60, 10)
    assert ANIMATION_PIXELS > 1_000_000


def test_equal_sizes_are_the_same_file() -> None:
    """A size that would not be smaller than the one above it is not encoded again."""
    variants = build(sample_images.photo(640, 480), "jpeg").variants
    assert variants["large"] is variants["medium"]
    assert variants["medium"] != variants["small"]


def test_damaged_pixel_data_is_corrupt() -> None:
    """A header alone is fine, the pixels behind it are not there: refused when decoding, by name."""
    body = hostile.truncate(sample_images.photo(), 60)
    original = source.read(body, "jpeg", BOUNDS)
    with pytest.raises(Unprocessable) as caught:
        renditions.render_all(original)
    assert caught.value.code == "corrupt_image"


def test_a_variant_from_the_mezzanine_is_similar_to_the_original_variant() -> None:
    """A size made again later looks like the one made at ingest."""
    made = build(scene("jpeg"), "jpeg")
    for name, body in made.variants.items():
        again = image_similarity.pixels(renditions.render_variant(made.mezzanine, name, "jpg"))
        assert image_similarity.difference(again, image_similarity.pixels(body)) < 3
