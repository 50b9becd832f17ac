"""Limits are held against headers."""

import pytest

from imghost_core.errors import Unprocessable
from imghost_imaging.render import gif, limits
from imghost_imaging.render.limits import Header, Limits
from support import hostile, sample_images

BOUNDS = Limits(pixels=100_000_000, frames=300)


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (sample_images.photo(640, 480), "jpeg", Header(640, 480, 1)),
        (sample_images.rotate(1), "jpeg", Header(120, 80, 1)),
        (sample_images.rotate(8), "jpeg", Header(120, 80, 1)),
        (sample_images.png(), "png", Header(320, 240, 1)),
        (sample_images.gif(7), "gif", Header(160, 120, 7)),
        (sample_images.webp(7), "webp", Header(160, 120, 7)),
        (sample_images.photo(64, 48, "avif"), "avif", Header(64, 48, 1)),
    ],
)
def test_the_header_gives_size_and_frames(body: bytes, kind: str, expected: Header) -> None:
    """Size as shown, and frames, for each format."""
    assert limits.read(body, kind, BOUNDS) == expected  # type: ignore[arg-type]


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


def test_counting_frames_stops_at_the_limit() -> None:
    """A GIF of a million frames is not read to its end to be refused."""
    body = hostile.gif_frames(1_000_000)
    assert gif.read_header(body, max_frames=300).frames == 301


def test_a_gif_without_its_trailer_is_complete() -> None:
    """Some encoders leave the trailer out; the images are complete, so it is taken."""
    found = gif.read_header(sample_images.gif(3)[:-1], max_frames=300)
    assert (found.frames, found.truncated) == (3, False)


@pytest.mark.parametrize("cut", range(0, 400, 7))
def test_a_gif_cut_within_a_block_is_truncated(cut: int) -> None:
    """Wherever the file ends inside a block, it is known without decoding."""
    whole = sample_images.gif(3)
    assert gif.read_header(whole[: -2 - cut], max_frames=300).truncated
