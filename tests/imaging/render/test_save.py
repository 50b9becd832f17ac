"""An image that is not made smaller keeps the colour of each pixel."""

import numpy as np
import pytest
import pyvips

from imghost_imaging.formats import Format
from support import hand_made_images as made
from support import rendering, sample_images

CHECKER = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)[np.indices((32, 32)).sum(0) % 2]
LINES = np.full((40, 200, 3), 255, np.uint8)
LINES[10:30, 20:180:4] = (230, 0, 0)


@pytest.mark.parametrize("pixels", [CHECKER, LINES], ids=["checker", "lines"])
def test_a_small_drawing_is_stored_exactly(pixels: made.Bytes) -> None:
    """Lines and dots of one pixel are lossless in every size that is not smaller, and in the mezzanine."""
    renditions = rendering.render(made.png(pixels), "png")
    for body in (renditions.mezzanine, renditions.variants["large"], renditions.variants["thumb"]):
        assert (rendering.decode(body)[0] == pixels).all()


def test_a_drawing_with_transparency_is_stored_exactly() -> None:
    """The same with alpha, where a lossy file would have half the colours."""
    pixels = np.dstack([CHECKER, np.tile(np.linspace(0, 255, 32).astype(np.uint8), (32, 1))])
    found = rendering.large(made.png(pixels), "png")[0]
    assert (found[..., 3] == pixels[..., 3]).all()
    assert (found[:, 1:] == pixels[:, 1:]).all()  # what is wholly transparent has no colour


@pytest.mark.parametrize(("kind", "quality"), [("jpeg", 98), ("webp", 98)])
def test_a_small_image_of_a_lossy_format_keeps_its_colours(kind: Format, quality: int) -> None:
    """A JPEG without subsampling is not subsampled either, so red lines stay red."""
    options = {"subsample_mode": "off"} if kind == "jpeg" else {"lossless": True}
    image = pyvips.Image.new_from_array(LINES).copy(interpretation="srgb")
    found = rendering.large(sample_images.encode(image, kind, quality, **options), kind)[0]
    assert rendering.difference(found, LINES) < 4


def test_an_animation_in_full_size_keeps_its_colours() -> None:
    """Frames of single pixels in two colours stay as they are."""
    dots = np.where(np.indices((32, 32)).sum(0) % 2, 2, 4).astype(np.uint8)
    frames = [made.gif_frame(dots), made.gif_frame(np.roll(dots, 1, 1))]
    for found, wanted in zip(
        rendering.large(made.gif(32, 32, frames), "gif"), (dots, np.roll(dots, 1, 1)), strict=True
    ):
        assert rendering.difference(found, made.show(wanted)) < 4


def test_a_photograph_stays_a_jpeg() -> None:
    """Lossless is for where it is smaller: a photograph as PNG becomes JPEG, a fraction of its size."""
    body = sample_images.photo(600, 400, "png")
    renditions = rendering.render(body, "png")
    assert renditions.extension == "jpg"
    assert len(renditions.variants["large"]) < len(body) / 5


def test_a_size_that_is_smaller_is_subsampled() -> None:
    """Where pixels are means already, files have half the colours, as everywhere on the web."""
    variants = rendering.render(sample_images.photo(640, 480), "jpeg").variants
    assert sampling(variants["large"]) == 0x11
    assert sampling(variants["small"]) == 0x22


def sampling(jpeg: bytes) -> int:
    """The sampling factors of the first component of a JPEG, horizontal and vertical."""
    frame = next(jpeg.index(bytes((0xFF, marker))) for marker in (0xC0, 0xC2) if bytes((0xFF, marker)) in jpeg)
    return jpeg[frame + 11]
