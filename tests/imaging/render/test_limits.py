"""Limits are held against headers."""

import pytest

from imghost_core.errors import Unprocessable
from imghost_imaging.render import gif, limits, source
from imghost_imaging.render.limits import Header, Limits
from support import hand_made_images, hostile, rendering, sample_images

BOUNDS = Limits(pixels=100_000_000, frames=300)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (sample_images.photo(640, 480), "jpeg", Header(640, 480, 1)),
        (sample_images.rotate(1), "jpeg", Header(120, 80, 1)),
        *((sample_images.rotate(turned), "jpeg", Header(120, 80, 1)) for turned in range(2, 9)),
        (sample_images.png(), "png", Header(320, 240, 1)),
        (sample_images.gif(7), "gif", Header(160, 120, 7)),
        (sample_images.webp(7), "webp", Header(160, 120, 7)),
        (sample_images.photo(64, 48, "avif"), "avif", Header(64, 48, 1)),
    ],
)
def test_the_header_gives_size_and_frames(body: bytes, kind: str, expected: Header) -> None:
    """Size as shown, and frames, for each format."""
    assert source.read(body, kind, BOUNDS).header == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (Header(10_000, 10_000, 1), None),
        (Header(10_001, 10_000, 1), "too_many_pixels"),
        (Header(1000, 1000, 100), None),
        (Header(1000, 1000, 101), "too_many_pixels"),
        (Header(1, 1, 300), None),
        (Header(1, 1, 301), "too_many_frames"),
    ],
)
def test_limits_are_inclusive(header: Header, code: str | None) -> None:
    """The limits themselves are within the limits; one more is not."""
    if code is None:
        limits.check(header, BOUNDS)
        return
    with pytest.raises(Unprocessable) as caught:
        limits.check(header, BOUNDS)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (Header(10_001, 10_000, 1), "The image is 10001 x 10000, 100,010,000 pixels; 100,000,000 are"),
        (
            Header(1000, 1000, 101),
            "The image is 1000 x 1000 x 101 frames, 101,000,000 pixels; 100,000,000 are",
        ),
        (Header(10_000, 5001, 2), "The image is 10000 x 5001 x 2 frames, 100,020,000 pixels; 100,000,000 are"),
        (Header(1, 1, 301), "The animation has more than 300 frames"),
    ],
)
def test_a_rejected_size_is_explained(header: Header, says: str) -> None:
    """The error has the size of the image, its frames if it has several, and the limit."""
    with pytest.raises(Unprocessable) as caught:
        limits.check(header, BOUNDS)
    assert str(caught.value).startswith(says)


def test_a_gif_without_a_frame_is_corrupt() -> None:
    """It is refused before it is decoded."""
    with pytest.raises(Unprocessable) as caught:
        source.read(b"GIF89a" + bytes(7) + b";", "gif", BOUNDS)
    assert caught.value.code == "corrupt_image"


def test_counting_frames_stops_at_the_limit() -> None:
    """A GIF of a million frames is not read to its end to be refused."""
    body = hostile.gif_frames(1_000_000)
    assert len(gif.read(body, max_frames=300).frames) == 301


def apng_code(body: bytes) -> str | None:
    """The code with which an animated PNG is refused, or None."""
    try:
        source.read(body, "png", BOUNDS)
    except Unprocessable as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("frames", "size", "announced", "code"),
    [
        (300, 8, None, None),
        (301, 8, None, "too_many_frames"),
        (301, 8, 1, "too_many_frames"),
        (2, 8, 4_000_000_000, None),
        (100, 1000, None, None),
        (101, 1000, None, "too_many_pixels"),
    ],
)
def test_the_frames_of_an_apng_count(frames: int, size: int, announced: int | None, code: str | None) -> None:
    """Frames that are in the file count as those of a GIF do, whatever its header announces."""
    body = hand_made_images.apng(frames, size, size, announced)
    assert apng_code(body) == code
    if code is None:
        assert source.read(body, "png", BOUNDS).header == Header(size, size, frames)


def test_an_animation_control_behind_the_pixels_makes_no_apng() -> None:
    """Viewers see a still image then, and so do the limits."""
    body = hand_made_images.apng(400)
    head, control, rest = body[:33], body[33:53], body[53:]
    end = rest.index(b"fcTL", 40) - 4
    assert apng_code(head + rest[:end] + control + rest[end:]) is None


def test_the_variants_of_an_apng_are_its_first_image() -> None:
    """What the PNG decoder shows of it, a still image of the same size."""
    renditions = rendering.render(hand_made_images.apng(3, 64, 48), "png")
    assert [page.shape[:2] for page in rendering.decode(renditions.variants["large"])] == [(48, 64)]
