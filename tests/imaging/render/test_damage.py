"""One rule for damage: an image is taken if and only if every pixel can be decoded and no checksum of pixels is wrong.

End markers, bytes behind the image, and damaged metadata do not matter.
"""

import random
import struct
import threading
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from imghost_core.contract.errors import CorruptImage
from imghost_imaging.formats import Format
from imghost_imaging.render import gif, jpeg, png
from support import hand_made_images as made
from support import rendering, sample_images
from support.image_formats import PNG_SIGNATURE, chunk, split_png

SCENE = made.colours()


def is_refused(body: bytes, kind: Format) -> bool:
    try:
        rendering.render(body, kind)
    except CorruptImage:
        return True
    return False


BODIES: dict[str, tuple[Format, Callable[[], bytes]]] = {
    "jpeg": ("jpeg", lambda: sample_images.photo(150, 96, noise=2.0)),
    "jpeg-subsampled": ("jpeg", lambda: sample_images.photo(171, 97)),
    "jpeg-progressive": ("jpeg", lambda: sample_images.photo(150, 96, interlace=True)),
    "png": ("png", lambda: sample_images.png(60, 40)),
    "png-interlaced": ("png", lambda: sample_images.png(60, 40, interlace=True)),
    "gif": ("gif", lambda: sample_images.gif(3, 40, 30)),
    "webp": ("webp", lambda: sample_images.webp(1, 40, 30)),
    "webp-animated": ("webp", lambda: sample_images.webp(3, 40, 30)),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_cut_file_is_taken_if_and_only_if_no_pixel_is_missing(name: str) -> None:
    """Cut byte by byte from its end, a file gives exactly the pixels of the whole one until it is refused for good."""
    kind, make = BODIES[name]
    body, refused = make(), False
    whole = rendering.render(body, kind).mezzanine
    for cut in range(1, 48):
        if is_refused(body[:-cut], kind):
            refused = True
        else:
            assert not refused, f"taken again without its last {cut} bytes"
            assert rendering.render(body[:-cut], kind).mezzanine == whole
    assert refused


@pytest.mark.parametrize("name", ["jpeg", "jpeg-subsampled", "jpeg-progressive"])
@pytest.mark.parametrize("cut", [1, 2, 3, 5, 8, 13, 100, 400])
def test_an_end_marker_does_not_make_a_cut_jpeg_whole(name: str, cut: int) -> None:
    """With data missing before the end marker, be it one block in the last row, pixels are missing: refused."""
    assert is_refused(BODIES[name][1]()[: -2 - cut] + b"\xff\xd9", "jpeg")


def test_damage_is_found_in_the_image_that_has_it() -> None:
    """Images rendered in parallel do not answer for each other: each damaged one is refused, each good one is taken."""
    good = sample_images.photo(171, 97)
    bad = good[:-30] + b"\xff\xd9"
    barrier = threading.Barrier(4)

    def check(number: int) -> list[bool]:
        barrier.wait()
        return [is_refused((good, bad)[(number + turn) % 2], "jpeg") for turn in range(20)]

    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(check, range(4)))
    assert results == [[bool((number + turn) % 2) for turn in range(20)] for number in range(4)]


def change_jpeg(change: str) -> bytes:
    body = sample_images.photo(150, 96)
    scan = body.index(b"\xff\xda")
    header = 2 + struct.unpack_from(">H", body, scan + 2)[0]
    return {
        "no end marker, other bytes": body[:-2] + bytes(400),
        "bytes behind": body + b"trailing bytes" * 9,
        "another image behind": body[:-2] + sample_images.photo(40, 30),
        "bytes between segments": body[:scan] + b"\0\0\0" + body[scan:],
        "fill bytes": body[:scan] + b"\xff\xff\xff" + body[scan:],
        "spectrum of one coefficient": body[: scan + header - 2] + b"\0" + body[scan + header - 1 :],
        "unknown version of JFIF": body[:2] + b"\xff\xe0\0\x10JFIF\0\x09\x09\0\0\1\0\1\0\0" + body[2:],
    }[change]


@pytest.mark.parametrize(
    "change",
    [
        "no end marker, other bytes",
        "bytes behind",
        "another image behind",
        "bytes between segments",
        "fill bytes",
        "spectrum of one coefficient",
        "unknown version of JFIF",
    ],
)
def test_a_jpeg_with_all_its_pixels_is_taken(change: str) -> None:
    """What cameras and editors get wrong around the pixels does not change the image."""
    assert (
        rendering.render(change_jpeg(change), "jpeg").mezzanine
        == rendering.render(sample_images.photo(150, 96), "jpeg").mezzanine
    )


def test_codes_that_do_not_exist_are_damage() -> None:
    """Damage in the middle of the data that the decoder notices is refused: no code consists of ones only."""
    body = sample_images.photo(150, 96)
    middle = len(body) * 2 // 3
    assert is_refused(body[:middle] + b"\xff\0" * 20 + body[middle + 40 :], "jpeg")


# PNG


def break_crc(body: bytes, kind: bytes) -> bytes:
    """`body` with a wrong CRC of its chunk `kind`."""
    start = body.index(kind) - 4
    end = start + 8 + struct.unpack_from(">I", body, start)[0]
    return body[:end] + bytes((body[end] ^ 1,)) + body[end + 1 :]


PALETTE_PNG = (
    PNG_SIGNATURE
    + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 3, 0, 0, 0))
    + chunk(b"PLTE", made.PALETTE.tobytes())
    + chunk(b"tRNS", b"\0")
    + chunk(b"IDAT", zlib.compress(bytes(9 * 8)))
    + chunk(b"IEND", b"")
)


@pytest.mark.parametrize("kind", [b"IHDR", b"PLTE", b"tRNS", b"IDAT"])
def test_a_wrong_crc_of_pixels_is_refused(kind: bytes) -> None:
    """Size, palette, transparency and data are what the pixels are made of."""
    assert not is_refused(PALETTE_PNG, "png")
    assert is_refused(break_crc(PALETTE_PNG, kind), "png")


@pytest.mark.parametrize("kind", [b"tEXt", b"gAMA", b"iCCP", b"eXIf", b"zTXt"])
def test_a_damaged_chunk_of_metadata_is_ignored(kind: bytes) -> None:
    """Text, colours and EXIF with a wrong CRC, or with content that makes no sense, change nothing."""
    plain = rendering.large(made.png(SCENE), "png")[0]
    damaged = made.png(SCENE, break_crc(PNG_SIGNATURE + chunk(kind, b"\0\0\1\0"), kind)[8:])
    senseless = made.png(SCENE, chunk(kind, b"no sense at all"))
    for body in (damaged, senseless, made.png(SCENE, end=break_crc(chunk(b"IEND", b""), b"IEND"))):
        assert (rendering.large(body, "png")[0] == plain).all()


def test_a_png_of_fewer_rows_than_announced_is_refused() -> None:
    """A valid stream that holds half of the rows is not an image; one that holds more is."""
    head, _ = split_png(made.png(SCENE))
    rows = b"".join(b"\0" + row.tobytes() for row in SCENE.reshape(64, -1))
    end = chunk(b"IEND", b"")
    assert is_refused(head + chunk(b"IDAT", zlib.compress(rows[: len(rows) // 2])) + end, "png")
    assert not is_refused(head + chunk(b"IDAT", zlib.compress(rows + rows)) + end, "png")


def test_a_png_with_a_chunk_that_changes_its_pixels_is_refused() -> None:
    """A critical chunk that is unknown, such as CgBI of iOS, means that the pixels are stored in another way."""
    assert is_refused(made.png(SCENE, chunk(b"CgBI", bytes(4))), "png")


def test_text_that_inflates_to_megabytes_is_never_inflated() -> None:
    """Chunks other than pixels and colours do not reach the decoder, be they ten thousand."""
    bomb = b"".join(chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(5_000_000))) for _ in range(9))
    many = chunk(b"tEXt", b"k\0v") * 10_000
    assert not is_refused(made.png(SCENE, bomb + many), "png")


# GIF


def test_a_gif_frame_with_too_little_data_is_refused() -> None:
    """Codes that end early inside whole blocks leave pixels out, in an opaque frame and in a transparent one."""
    for transparent in (None, 7):
        whole = made.gif_frame(np.full((32, 48), 4, np.uint8), transparent=transparent)
        start = whole.index(b"\x03\xff") + 2
        short = whole[: start - 1] + b"\x20" + whole[start : start + 32] + b"\0"
        assert not is_refused(made.gif(48, 32, [whole]), "gif")
        assert is_refused(made.gif(48, 32, [short]), "gif")


# Whatever the bytes are


@given(st.sampled_from(sorted(BODIES)), st.integers(0, 2**32), st.integers(1, 12))
def test_readers_of_structure_never_fail_otherwise(name: str, seed: int, changes: int) -> None:
    """Random bytes anywhere in a file end in an image or in `CorruptImage`, never in another exception."""
    kind, make = BODIES[name]
    body, dice = bytearray(make()), random.Random(seed)
    for _ in range(changes):
        body[dice.randrange(6, len(body))] = dice.randrange(256)
    data = bytes(body[: dice.randrange(6, len(body) + 1)])
    try:
        {"gif": gif.read, "jpeg": jpeg.normalise, "png": read_png}.get(kind, bytes)(data)
    except CorruptImage:
        return


def read_png(data: bytes) -> bytes:
    png.read_header(data)
    return png.normalise(data)
