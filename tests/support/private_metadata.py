"""Images that carry everything a camera, a phone or an editor writes about its user, for the tests of its removal.

Each piece of metadata contains `CANARY`, so that a search shows whether it is still there.
"""

import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pyvips

from imghost_dev.photographs import SRGB, encode, scene
from support import image_formats, sample_images
from support.image_formats import box, chunk

CANARY = b"CANARY"
NOTICE = b"(c) Ada Lovelace"
GPS = (48.2, 16.37)
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/">' + CANARY + b"</x:xmpmeta>"


def tiff(orientation: int = 1, *, big_endian: bool = False) -> bytes:
    """A TIFF block with maker, orientation, copyright, maker note and position."""
    order = ">" if big_endian else "<"
    texts = {0x010F: CANARY + b" maker\0", 0x8298: NOTICE + b"\0", 0x927C: CANARY * 20}
    entries = [(tag, 2 if tag != 0x927C else 7, len(value), value) for tag, value in texts.items()]
    entries.append((0x0112, 3, 1, struct.pack(f"{order}HH", orientation, 0)))
    entries.append((0x8825, 4, 1, struct.pack(f"{order}I", 0)))
    start, tail, rows = 8 + 2 + 12 * len(entries) + 4, b"", b""
    for tag, kind, count, value in sorted(entries):
        place = value if len(value) == 4 else struct.pack(f"{order}I", start + len(tail))
        tail += b"" if len(value) == 4 else value
        rows += struct.pack(f"{order}HHI", tag, kind, count) + place
    magic = b"MM\0*" if big_endian else b"II*\0"
    return magic + struct.pack(f"{order}IH", 8, len(entries)) + rows + b"\0\0\0\0" + tail


@cache
def jpeg(orientation: int = 1, *, interlace: bool = False, icc: bool = True) -> bytes:
    """A JPEG with EXIF, XMP, IPTC, comments, thumbnails, an MPF index, a second JPEG and a film."""
    image = scene(96, 64).copy()
    image.set_type(pyvips.GValue.gdouble_type, "xres", 7.5)
    image.set_type(pyvips.GValue.gdouble_type, "yres", 7.5)
    profile = {"profile": "p3"} if icc else {}
    plain = bytes(image.jpegsave_buffer(Q=90, interlace=interlace, keep="icc", **profile))
    second = image_formats.insert(sample_images.photo(32, 24), 0xFE, CANARY)
    segments = [
        (0xE0, b"JFXX\0\x10" + CANARY),
        (0xE1, b"Exif\0\0" + tiff(orientation)),
        (0xE1, b"http://ns.adobe.com/xap/1.0/\0" + XMP),
        (0xE1, b"http://ns.adobe.com/xmp/extension/\0" + b"0" * 32 + bytes(8) + XMP),
        (0xE2, b"MPF\0II*\0" + CANARY),
        (0xE2, b"FPXR\0" + CANARY),
        (0xEB, b"JP" + CANARY),
        (0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x06" + CANARY),
        (0xFE, CANARY),
    ]
    for marker, body in reversed(segments):
        plain = image_formats.insert(plain, marker, body)
    film = box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", CANARY)
    return plain.replace(b"\xff\xd9", b"\xff\xfe\0\x08" + CANARY + b"\xff\xd9") + second + film + b"SEFH" + CANARY


@cache
def png(orientation: int = 1, *, animated: bool = False) -> bytes:
    """A PNG with text of every kind, EXIF, a time, an unknown chunk, and bytes behind its end."""
    density = chunk(b"pHYs", struct.pack(">IIB", 7500, 7500, 1))
    profile = chunk(b"iCCP", b"p3\0\0" + zlib.compress(icc_profile()))
    private = b"".join(
        (
            chunk(b"tEXt", b"Author\0" + CANARY),
            chunk(b"tEXt", b"Copyright\0" + NOTICE),
            chunk(b"zTXt", b"Comment\0\0" + zlib.compress(CANARY)),
            chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
            chunk(b"eXIf", tiff(orientation)),
            chunk(b"tIME", struct.pack(">HBBBBB", 2026, 11, 27, 20, 0, 0)),
            chunk(b"caBX", CANARY),
        )
    )
    head, pixels = image_formats.split_png(encode(scene(96, 64), "png"))
    pixels = pixels[: pixels.rindex(b"IEND") - 4]
    frames = b""
    if animated:
        shape = struct.pack(">IIIIHHBB", 96, 64, 0, 0, 1, 10, 0, 0)
        data = pixels[pixels.index(b"IDAT") + 4 : -4]
        head += chunk(b"acTL", struct.pack(">II", 2, 0)) + chunk(b"fcTL", b"\0\0\0\0" + shape)
        frames = chunk(b"fcTL", b"\0\0\0\1" + shape) + chunk(b"fdAT", b"\0\0\0\2" + data)
    trailer = chunk(b"IEND", b"") + CANARY
    return head + density + profile + private + pixels + frames + chunk(b"tEXt", b"Late\0" + CANARY) + trailer


@cache
def gif(frames: int = 1) -> bytes:
    """A GIF with comments, plain text, XMP, unknown applications, and bytes behind its end."""
    plain = sample_images.gif(frames, 48, 32)
    start = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    magic = b"\1" + bytes(range(255, -1, -1)) + b"\0"
    private = (
        b"!\xfe\6" + CANARY + b"\0"
        + b"!\1\x0c" + bytes(12) + b"\6" + CANARY + b"\0"
        + b"!\xff\x0bXMP DataXMP" + XMP + magic
        + b"!\xff\x0bCANARYAPP01\6" + CANARY + b"\0"
        + b"!\xff\x0bCANARYAPP02\x03\x01\0\0\0"
        + b"!\xff\x0bNETSCAPE2.0\x05\x02" + b"\0\0\1\0" + b"\0"
    )  # fmt: skip
    return plain[:start] + private + plain[start:-1] + b"!\xfe\6" + CANARY + b"\0;" + CANARY


@cache
def webp(frames: int = 1, orientation: int = 1) -> bytes:
    """A WebP with EXIF, XMP, unknown chunks in the file and in its frames, and bytes behind its end."""
    strip = pyvips.Image.arrayjoin([scene(48, 32, noise=0)] * frames, across=1).copy(interpretation=SRGB)
    if frames > 1:
        strip = (strip + pyvips.Image.xyz(48, 32 * frames)[1] / 4).cast("uchar").copy(interpretation=SRGB)
        strip.set_type(pyvips.GValue.gint_type, "page-height", 32)
        strip.set_type(pyvips.GValue.array_int_type, "delay", [70] * frames)
        strip.set_type(pyvips.GValue.gint_type, "loop", 3)
    plain = bytes(strip.webpsave_buffer(lossless=True, keep="icc", profile="p3"))
    chunks = [_private_frame(kind, body) for kind, body in _riff(plain[12:])]
    flags = chunks[0][1][0] | 0x0C
    chunks[0] = (b"VP8X", bytes((flags,)) + chunks[0][1][1:])
    chunks += [(b"EXIF", tiff(orientation)), (b"XMP ", XMP), (b"JUNK", CANARY + b"x")]
    body = b"WEBP" + b"".join(_chunk(*one) for one in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body + CANARY


@cache
def avif(*, tiles: bool = False) -> bytes:
    """An AVIF with EXIF and XMP as items, a box of its own, and an alpha plane."""
    image = scene(64, 48).bandjoin(200) if not tiles else scene(64, 48)
    image = image.copy(interpretation=SRGB)
    image.set_type(pyvips.GValue.blob_type, "exif-data", b"Exif\0\0" + tiff())
    image.set_type(pyvips.GValue.blob_type, "xmp-data", XMP)
    plain = bytes(image.heifsave_buffer(compression="av1", effort=0, profile="p3"))
    return plain + box(b"uuid", CANARY + bytes(16)) + box(b"free", CANARY)


def avif_sequence() -> bytes:
    """Four frames of AVIF with an alpha plane, EXIF and XMP; a file, because libvips encodes no sequences."""
    return (Path(__file__).parents[1] / "data" / "image-sequence.avif").read_bytes()


@cache
def icc_profile() -> bytes:
    """A colour profile that is not sRGB."""
    body = bytes(scene(8, 8).jpegsave_buffer(keep="icc", profile="p3"))
    profile: bytes = pyvips.Image.new_from_buffer(body, "").get("icc-profile-data")
    return profile


SAMPLES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "jpeg": ("jpeg", jpeg),
    "jpeg-turned": ("jpeg", lambda: jpeg(6)),
    "jpeg-progressive": ("jpeg", lambda: jpeg(interlace=True)),
    "png": ("png", png),
    "png-turned": ("png", lambda: png(8)),
    "apng": ("png", lambda: png(animated=True)),
    "gif": ("gif", gif),
    "gif-animated": ("gif", lambda: gif(4)),
    "webp": ("webp", webp),
    "webp-turned": ("webp", lambda: webp(orientation=5)),
    "webp-animated": ("webp", lambda: webp(4)),
    "avif": ("avif", avif),
    "avif-animated": ("avif", avif_sequence),
}
"""Format and file of every kind, by name; made when a test runs."""


def _riff(data: bytes) -> list[tuple[bytes, bytes]]:
    found, position = [], 0
    while position < len(data):
        (size,) = struct.unpack_from("<I", data, position + 4)
        found.append((data[position : position + 4], data[position + 8 : position + 8 + size]))
        position += 8 + size + size % 2
    return found


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _private_frame(kind: bytes, body: bytes) -> tuple[bytes, bytes]:
    return (kind, body + _chunk(b"JUNK", CANARY)) if kind == b"ANMF" else (kind, body)
