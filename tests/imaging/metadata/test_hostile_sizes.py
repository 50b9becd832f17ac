"""What the service itself reads of a file takes time in proportion to its size, whatever its bytes are."""

import struct
import time
from contextlib import suppress

import pytest
import pyvips

from imghost_core.contract.errors import CorruptImage, MetadataNotRemovable
from imghost_imaging.cost import shape
from imghost_imaging.formats import Format
from imghost_imaging.metadata.strip import strip
from imghost_imaging.render import jpeg, sniff
from support import sample_images

MB = 1_000_000
MOST_SECONDS = 5  # of CPU time for 2 MB; what is quadratic takes minutes
JPEG = sample_images.photo(64, 48, "jpeg")


def box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def item(number: int) -> bytes:
    return box(b"infe", struct.pack(">BxxxHH", 2, number, 0) + b"grid\0")


def avif(*, items: int, ranges: int = 1, media: int = 1, size: int = 8) -> bytes:
    """A chain of items, each made of the next one; the last has `ranges`, which all are the whole media data."""
    start = 16 + 8 * (media - 1) + 8
    entries = b"".join(item(number) for number in range(1, items + 1))
    chain = b"".join(box(b"dimg", struct.pack(">HHH", one, 1, one + 1)) for one in range(1, items))
    located = struct.pack(">HHIH", items, 0, start, ranges) + struct.pack(">I", size) * ranges
    meta = (
        box(b"hdlr", bytes(25))
        + box(b"pitm", struct.pack(">IH", 0, 1))
        + box(b"iinf", struct.pack(">IH", 0, items) + entries)
        + box(b"iloc", struct.pack(">IHH", 0, 0x0440, 1) + located)
        + box(b"iref", bytes(4) + chain)
        + box(b"iprp", box(b"ipco", b""))
    )
    head = box(b"ftyp", b"avif\0\0\0\0")
    return head + box(b"mdat", b"") * (media - 1) + box(b"mdat", bytes(size)) + box(b"meta", bytes(4) + meta)


def nested(depth: int) -> bytes:
    body = b"".join(struct.pack(">I", 8 * (depth - one)) + b"moov" for one in range(depth))
    return avif(items=1) + body


HOSTILE: dict[str, tuple[Format, bytes]] = {
    "jpeg of FF": ("jpeg", b"\xff\xd8" + b"\xff" * 2 * MB + b"\0"),
    "jpeg, scan of FF": ("jpeg", JPEG[:-2] + b"\xff" * 2 * MB + b"\0\xff\xd9"),
    "jpeg of FF and 0": ("jpeg", b"\xff\xd8" + (b"\xff" * 2_000 + b"\0") * 1_000),
    "jpeg of zeros": ("jpeg", b"\xff\xd8" + bytes(2 * MB)),
    "jpeg of frame headers": ("jpeg", b"\xff\xd8" + b"\xff\xc0\0\2\xff\xff\xff\xff" * (MB // 4)),
    "jpeg of scans": ("jpeg", JPEG[:-2] + b"\xff\xda\0\2\0" * (2 * MB // 5)),
    "jpeg of text": ("jpeg", JPEG[:-2] + (b"a" * 23 + b"\0") * (MB // 12)),
    "png of chunks": ("png", b"\x89PNG\r\n\x1a\n" + b"\0\0\0\0abcd\0\0\0\0" * (MB // 6)),
    "png of zeros": ("png", b"\x89PNG\r\n\x1a\n" + bytes(2 * MB)),
    "gif of blocks": ("gif", b"GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2" + b"\1" * 2 * MB),
    "gif of extensions": ("gif", b"GIF89a\1\0\1\0\0\0\0" + b"!\xfe\0" * (2 * MB // 3)),
    "gif of frames": ("gif", b"GIF89a\1\0\1\0\0\0\0" + b",\0\0\0\0\1\0\1\0\0\2\0" * (MB // 6)),
    "gif of zeros": ("gif", b"GIF89a\1\0\1\0\0\0\0" + bytes(2 * MB)),
    "webp of chunks": ("webp", b"RIFF\xff\xff\xff\0WEBPVP8X" + b"\0\0\0\0ANIM" * (MB // 4)),
    "avif of boxes": ("avif", avif(items=1) + box(b"mdat", b"") * (MB // 4)),
    "avif of nested boxes": ("avif", nested(MB // 4)),
    "avif of items": ("avif", avif(items=9_000)),
    "avif of ranges": ("avif", avif(items=1, ranges=60_000, size=MB)),
    "avif of media": ("avif", avif(items=1, ranges=60_000, media=9_000)),
    "avif of sizes": ("avif", avif(items=1) + b"ispe\0\0\0\0\0\0\0\1\0\0\0\1" * (MB // 8)),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_reading_takes_time_in_proportion(name: str) -> None:
    """The shape, the format, what is embedded, and the filter: each is done with 2 MB within seconds of CPU time."""
    kind, body = HOSTILE[name]
    started = time.process_time()
    with suppress(CorruptImage):
        shape.read(body, kind)
    sniff.identify(body)
    sniff.unsupported_format(body)
    sniff.embedded_content(body, kind)
    with suppress(MetadataNotRemovable):
        strip(body, kind, keep_copyright=True)
    assert time.process_time() - started < MOST_SECONDS


def test_fill_bytes_before_markers_of_a_jpeg_are_read_and_removed() -> None:
    """Any number of FF may precede a marker, also behind the pixels: the image is the same with and without them."""
    frame, scan = JPEG.index(b"\xff\xc0"), JPEG.index(b"\xff\xda")
    filled = JPEG[:frame] + b"\xff" * 9 + JPEG[frame:scan] + b"\xff" * 9 + JPEG[scan:-2] + b"\xff" * 9 + JPEG[-2:]
    expected = pyvips.Image.new_from_buffer(JPEG, "").write_to_memory()
    assert shape.read(filled, "jpeg") == shape.read(JPEG, "jpeg")
    assert strip(filled, "jpeg", keep_copyright=False) == strip(JPEG, "jpeg", keep_copyright=False)
    assert pyvips.Image.new_from_buffer(jpeg.normalise(filled), "").write_to_memory() == expected
