"""Animations are shown as browsers show them."""

import numpy as np
import pytest
import pyvips

from imghost_core.contract.errors import CorruptImage
from imghost_imaging.render import gif, source
from support import hand_made_images as made
from support import rendering
from support.hand_made_images import gif_frame, show

BLUE, RED, GREEN, KEY = 4, 2, 3, 7
W, H = 48, 32


def field(index: int, width: int = W, height: int = H) -> made.Bytes:
    return np.full((height, width), index, np.uint8)


def over(below: made.Bytes, patch: made.Bytes, x: int, y: int) -> made.Bytes:
    shown = below.copy()
    shown[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
    return shown


BASE = field(BLUE)
BASE[4:12, 4:16] = RED
PATCH = field(GREEN, 16, 12)
CLEAR = np.zeros((H, W, 4), np.uint8)
BOTH = over(show(BASE), show(PATCH), 20, 10)
HOLES = BASE.copy()
HOLES[:16] = KEY
BAND = field(KEY)
BAND[8:20] = GREEN

FRAMES: dict[str, tuple[list[bytes], list[made.Bytes]]] = {
    "kept": ([gif_frame(BASE, disposal=1), gif_frame(PATCH, 20, 10)], [show(BASE), BOTH]),
    "cleared to transparent, not to the background": (
        [gif_frame(BASE, disposal=2), gif_frame(PATCH, 20, 10, disposal=2)],
        [show(BASE), over(CLEAR, show(PATCH), 20, 10)],
    ),
    "only its own place is cleared": (
        [gif_frame(BASE), gif_frame(PATCH, 20, 10, disposal=2), gif_frame(PATCH, 0, 0)],
        [show(BASE), BOTH, over(over(show(BASE), CLEAR[:12, :16], 20, 10), show(PATCH), 0, 0)],
    ),
    "restored": (
        [gif_frame(BASE), gif_frame(PATCH, 20, 10, disposal=3), gif_frame(PATCH, 0, 0)],
        [show(BASE), BOTH, over(show(BASE), show(PATCH), 0, 0)],
    ),
    "a first frame that is restored leaves nothing": (
        [gif_frame(BASE, disposal=3), gif_frame(PATCH, 20, 10)],
        [show(BASE), over(CLEAR, show(PATCH), 20, 10)],
    ),
    "first frame smaller than the canvas": (
        [gif_frame(PATCH, 20, 10), gif_frame(PATCH, 0, 0)],
        [over(CLEAR, show(PATCH), 20, 10), over(over(CLEAR, show(PATCH), 20, 10), show(PATCH), 0, 0)],
    ),
    "transparent pixels leave what was there": (
        [gif_frame(BASE, disposal=1), gif_frame(BAND, transparent=KEY)],
        [show(BASE), np.where(show(BAND, KEY)[..., 3:] == 0, show(BASE), show(BAND))],
    ),
    "transparent pixels after clearing": (
        [gif_frame(HOLES, disposal=2, transparent=KEY), gif_frame(np.roll(HOLES, 9, 0), transparent=KEY)],
        [show(HOLES, KEY), show(np.roll(HOLES, 9, 0), KEY)],
    ),
    "partly outside the canvas": (
        [gif_frame(BASE), gif_frame(PATCH, 40, 26)],
        [show(BASE), over(show(BASE), show(PATCH)[:6, :8], 40, 26)],
    ),
    "wholly outside the canvas": (
        [gif_frame(PATCH, 20, 10), gif_frame(PATCH, 100, 26, disposal=2), gif_frame(BASE)],
        [over(CLEAR, show(PATCH), 20, 10), show(BASE)],  # two equal frames are stored as one
    ),
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_follow_each_other_as_in_browsers(name: str) -> None:
    """Disposal, offset and transparency give each frame exactly the pixels that browsers show."""
    frames, expected = FRAMES[name]
    shown = rendering.large(made.gif(W, H, frames, repeats=0), "gif")
    assert len(shown) == len(expected)
    for found, wanted in zip(shown, expected, strict=True):
        assert rendering.difference(found, wanted) < 5


@pytest.mark.parametrize(("frame", "alpha"), [(gif_frame(BASE), False), (gif_frame(PATCH, 20, 10), True)])
def test_a_still_image_is_transparent_where_nothing_is_drawn(frame: bytes, alpha: bool) -> None:
    """One frame that fills the canvas is opaque, whatever its format could do; one that does not is transparent."""
    found = rendering.large(made.gif(W, H, [frame]), "gif")[0]
    assert found.shape == (H, W, 4 if alpha else 3)
    assert rendering.difference(found, over(CLEAR, show(PATCH), 20, 10) if alpha else show(BASE)) < 2


def test_an_animation_of_opaque_frames_that_leave_a_border_is_marked_as_transparent() -> None:
    """Players look at the flag of the whole file: without it, the border would be black."""
    frames = [gif_frame(PATCH, 8 * number, 10, disposal=2) for number in range(3)]
    body = rendering.render(made.gif(W, H, frames, repeats=0), "gif").variants["large"]
    assert body[12:16] == b"VP8X"
    assert body[20] & 0x10
    assert pyvips.Image.new_from_buffer(body, "").hasalpha()


def test_an_opaque_animation_stays_opaque() -> None:
    """Frames on an opaque first one have no transparent pixel."""
    for frame in rendering.large(made.gif(W, H, [gif_frame(BASE), gif_frame(PATCH, 20, 10)]), "gif"):
        assert frame.shape[2] == 3 or (frame[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("between", "frames"), [(b"\0", 2), (bytes(1000), 2), (b"G", 1), (b"\0\x05", 1), (b"", 2), (b";", 1)]
)
def test_bytes_between_blocks_do_not_make_a_gif_damaged(between: bytes, frames: int) -> None:
    """Zeros are skipped; another byte that begins no block ends the file, and what came before is shown."""
    body = made.gif(W, H, [gif_frame(BASE), between, gif_frame(PATCH, 20, 10)])
    shown = rendering.large(body, "gif")
    assert len(shown) == frames
    assert rendering.difference(shown[0], show(BASE)) < 5


def test_a_gif_without_a_frame_is_refused() -> None:
    """A header alone, or one with a stray byte behind it, has no pixels."""
    for rest in (b"", b"G", b"\0" * 99):
        with pytest.raises(CorruptImage):
            rendering.render(made.gif(W, H, [rest], trailer=b""), "gif")


def test_the_first_frame_gives_the_size_of_an_empty_canvas() -> None:
    """A canvas of 0 x 0, as old encoders write it, is as large as the first frame."""
    body = made.gif(0, 0, [gif_frame(BASE)])
    assert source.read(body, "gif", rendering.LIMITS).header == source.Header(W, H, 1)
    assert rendering.difference(rendering.large(body, "gif")[0], show(BASE)) < 2


def test_a_frame_far_larger_than_the_canvas_counts_against_the_limit() -> None:
    """A tiny canvas does not hide a frame of 65535 x 65535, which would be decoded as a whole."""
    huge = b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0"
    with pytest.raises(Exception, match="65535 x 65535 x 2 frames"):
        source.read(made.gif(4, 4, [gif_frame(field(1, 4, 4)), huge]), "gif", rendering.LIMITS)


@pytest.mark.parametrize(("repeats", "plays"), [(None, 1), (0, 0), (1, 2), (3, 4), (65535, 65535)])
def test_an_animation_is_played_as_often_as_it_says(repeats: int | None, plays: int) -> None:
    """Repeats of GIF are plays of WebP less one; 0 is without end in both."""
    body = made.gif(W, H, [gif_frame(BASE), gif_frame(PATCH)], repeats=repeats)
    assert pyvips.Image.new_from_buffer(rendering.render(body, "gif").variants["large"], "").get("loop") == plays


def test_each_frame_has_its_own_time_and_very_short_ones_that_of_browsers() -> None:
    """Delays are kept; none and 10 ms are 100 ms, as every browser plays them."""
    delays = (0, 1, 2, 50)
    frames = [gif_frame(field(index), delay=delay) for index, delay in enumerate(delays)]
    body = rendering.render(made.gif(W, H, frames), "gif").variants["large"]
    assert pyvips.Image.new_from_buffer(body, "").get("delay") == [100, 100, 20, 500]


def test_every_index_of_a_full_palette_can_be_shown() -> None:
    """With 256 colours of which one is transparent, no other pixel becomes transparent, and none is lost."""
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    palette = np.dstack([np.arange(256)] * 3)[0].astype(np.uint8)
    image = pyvips.Image.new_from_array(palette[ramp]).copy(interpretation="srgb")
    body = bytearray(image.bandjoin(255).gifsave_buffer(dither=0, bitdepth=8))
    structure = gif.read(bytes(body))
    shown = rendering.large(bytes(body), "gif")[0]
    assert len(structure.frames) == 1
    assert np.abs(shown[..., :3].astype(int) - palette[ramp].astype(int)).max() < 8
