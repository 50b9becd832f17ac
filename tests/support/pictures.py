"""Every picture the tests use, made in code: photographs, animations, and the files an attacker would send.

Each function returns the bytes of a file. Pictures are the same on every run, and made once per process.
"""

import io
import struct
import zipfile
import zlib
from functools import cache
from typing import Any

import numpy as np
import pyvips

_SRGB = "srgb"
Gps = tuple[float, float]


@cache
def photo(
    width: int = 640,
    height: int = 480,
    format: str = "jpeg",  # noqa: A002 - the word everybody looks for
    quality: int = 88,
    noise: float = 5.0,
    seed: int = 1,
    **options: Any,
) -> bytes:
    """Something that compresses like a photograph: 4000x3000 as JPEG is about 2 MB. `options` go to the encoder."""
    return encode(scene(width, height, noise, seed), format, quality, **options)


def scene(width: int, height: int, noise: float = 5.0, seed: int = 1) -> pyvips.Image:
    """The pixels of `photo`: a sky's gradient, soft hills in three colours, and a camera's noise."""
    x = pyvips.Image.xyz(width, height)
    across, down = x[0] / width, x[1] / height
    hills = ((across * (400 + 90 * seed)).sin() + (down * 700 + across * 200).cos()) * 25
    bands = [110 + 90 * down + hills, 130 + 60 * across - hills * 0.6, 190 - 110 * down + hills * 0.3]
    grain = np.random.default_rng(seed).normal(0, noise, (509, 503, 3)).astype(np.float32)
    repeated = pyvips.Image.new_from_array(grain).replicate(width // 503 + 1, height // 509 + 1)
    sky: pyvips.Image = bands[0].bandjoin(bands[1:]) + repeated.crop(0, 0, width, height)
    return sky.cast("uchar").copy(interpretation=_SRGB)


def encode(image: pyvips.Image, format: str, quality: int = 88, **options: Any) -> bytes:  # noqa: A002
    """`image` as a file of `format`: jpeg, png, gif, webp, avif or tiff."""
    settings: dict[str, dict[str, Any]] = {
        "jpeg": {"Q": quality},
        "png": {"compression": 3},
        "gif": {"effort": 1},
        "webp": {"Q": quality, "effort": 0},
        "avif": {"Q": quality, "effort": 0, "compression": "av1"},
        "tiff": {},
    }
    saver = {"avif": "heifsave_buffer"}.get(format, f"{format}save_buffer")
    return bytes(getattr(image, saver)(**settings[format] | options))


def png(width: int = 320, height: int = 240, *, alpha: bool = False, **options: Any) -> bytes:
    """A PNG; with `alpha`, its left edge is transparent and its right edge opaque."""
    image = scene(width, height)
    if alpha:
        image = image.bandjoin((pyvips.Image.xyz(width, height)[0] * 255 / max(1, width - 1)).cast("uchar"))
    return encode(image, "png", **options)


def gif(frames: int = 1, width: int = 160, height: int = 120) -> bytes:
    """A GIF of real frames, each of another colour, 50 ms a frame."""
    return _animation(frames, width, height, "gif")


def webp(frames: int = 1, width: int = 160, height: int = 120) -> bytes:
    """A WebP, animated when it has more than one frame."""
    return _animation(frames, width, height, "webp")


@cache
def _animation(frames: int, width: int, height: int, kind: str) -> bytes:
    still = scene(width, height, noise=0)
    pages = [(still + _tint(n)).cast("uchar") for n in range(frames)]
    strip = pyvips.Image.arrayjoin(pages, across=1).copy(interpretation=_SRGB)
    if frames == 1:
        return encode(strip, kind)
    strip.set_type(pyvips.GValue.gint_type, "page-height", height)
    strip.set_type(pyvips.GValue.gint_type, "n-pages", frames)
    strip.set_type(pyvips.GValue.array_int_type, "delay", [50] * frames)
    return encode(strip, kind)


def _tint(number: int) -> list[int]:
    return [40 * (number % 5), 0, 15 * (number % 7)]


# Unusual but good


def cmyk(width: int = 200, height: int = 150) -> bytes:
    """A JPEG in CMYK, as print shops send it."""
    return encode(scene(width, height).colourspace("cmyk"), "jpeg")


def png16(width: int = 200, height: int = 150) -> bytes:
    """A PNG of 16 bits a channel."""
    return encode((scene(width, height).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16"), "png")


def grey(width: int = 200, height: int = 150, format: str = "jpeg") -> bytes:  # noqa: A002
    """A picture of one channel."""
    return encode(scene(width, height).colourspace("b-w"), format)


def oriented(orientation: int, width: int = 120, height: int = 80) -> bytes:
    """A JPEG that must be turned by EXIF `orientation` (1-8); upright, its top-left quarter is red, the rest blue.

    The stored pixels are those of a camera held that way, so for 5-8 they are `height` by `width`.
    """
    upright = np.zeros((height, width, 3), np.uint8)
    upright[..., 2] = 255
    upright[: height // 2, : width // 2] = (255, 0, 0)
    stored = _UNTURN[orientation](upright)
    body = encode(pyvips.Image.new_from_array(np.ascontiguousarray(stored)).copy(interpretation=_SRGB), "jpeg", 95)
    return with_exif(body, orientation=orientation)


_UNTURN = {  # upright -> stored, the inverse of what EXIF 2.3 (table of tag 0x0112) tells a viewer to do
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: np.rot90(a, -1),
}


def exif_photo(orientation: int = 1, gps: Gps | None = None, width: int = 640, height: int = 480) -> bytes:
    """A JPEG with EXIF: orientation, a make, an artist, and where it was taken (`gps`: degrees north, east)."""
    return with_exif(photo(width, height), orientation=orientation, gps=gps)


ARTIST = "Ada Photographer"


def with_exif(jpeg: bytes, *, orientation: int = 1, gps: Gps | None = None) -> bytes:
    """`jpeg` with an EXIF segment put first."""
    block = b"Exif\0\0" + _tiff(orientation, gps)
    return _insert(jpeg, 0xE1, block)


def with_xmp(jpeg: bytes, packet: bytes = b"") -> bytes:
    """`jpeg` with an XMP packet, as every editor and most phones write it."""
    packet = packet or (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1"/>'
        b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    return _insert(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def phone_photo(width: int = 640, height: int = 480) -> bytes:
    """What a phone really sends: EXIF, XMP, an MPF index, a second JPEG behind the first, and a motion-photo MP4."""
    second = photo(160, 120)
    first = with_exif(with_xmp(photo(width, height)), gps=(48.2, 16.37))
    index = b"MPF\0" + b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHI4s", 0xB000, 7, 4, b"0100")
    film = (
        _box(b"ftyp", b"isom\0\0\2\0isomiso2mp41") + _box(b"mdat", bytes(range(256)) * 300) + _box(b"moov", bytes(64))
    )
    return _insert(first, 0xE2, index + b"\0\0\0\0") + second + film


def broken_exif() -> bytes:
    """A JPEG whose EXIF points far outside itself."""
    return _insert(photo(), 0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40)


def broken_icc(format: str = "jpeg") -> bytes:  # noqa: A002
    """A picture whose colour profile is noise."""
    noise = np.random.default_rng(7).bytes(600)
    if format == "jpeg":
        return _insert(photo(), 0xE2, b"ICC_PROFILE\0\x01\x01" + noise)
    head, rest = _split_png(png())
    return head + _chunk(b"iCCP", b"odd\0\0" + zlib.compress(noise)) + rest


# Attacks


def truncated(body: bytes, percent: int) -> bytes:
    """The first `percent` of a file."""
    return body[: max(1, len(body) * percent // 100)]


@cache
def bomb_png(width: int = 30_000, height: int = 30_000) -> bytes:
    """A valid one-bit PNG of `width` x `height`: about 110 kB that want to be hundreds of megabytes."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.compress(row * (height % 100))
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return _PNG + _chunk(b"IHDR", head) + _chunk(b"IDAT", rows + packer.flush()) + _chunk(b"IEND", b"")


def jpeg_claiming(width: int = 64_250, height: int = 64_250) -> bytes:
    """A small JPEG whose header was patched to claim another size."""
    body = bytearray(photo())
    frame = body.index(b"\xff\xc0")
    body[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(body)


def gif_frames(count: int = 10_000, width: int = 1, height: int = 1) -> bytes:
    """A GIF of `count` frames of one pixel each on a canvas of `width` x `height`; 10,000 frames are 250 kB."""
    frame = b"\x21\xf9\x04\x00\x05\x00\x00\x00" + b"\x2c\0\0\0\0\x01\0\x01\0\x00" + b"\x02\x02\x44\x01\x00"
    return gif_canvas(width, height) + frame * count + b";"


def gif_canvas(width: int, height: int) -> bytes:
    """The head of a GIF with a canvas of `width` x `height` and two colours."""
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"


def svg_external(target: str = "http://127.0.0.1:9/canary.png") -> bytes:
    """An SVG that wants to fetch something."""
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="99" height="99">'
        f'<image xlink:href="{target}" width="99" height="99"/></svg>'
    ).encode()


def svg_xxe() -> bytes:
    """An SVG that wants to read a file of the server."""
    return (
        b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
        b'<svg xmlns="http://www.w3.org/2000/svg"><text y="20">&x;</text></svg>'
    )


def svg_laughs() -> bytes:
    """An SVG whose entities multiply to a billion."""
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE svg [<!ENTITY l0 "ha">{entities}]><svg xmlns="http://www.w3.org/2000/svg"><text>&l9;</text></svg>'.encode()


def polyglot_zip(body: bytes | None = None, comment: bytes = b"") -> bytes:
    """A JPEG that is a ZIP archive as well."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as target:
        target.writestr("payload.class", b"\xca\xfe\xba\xbe")
        target.comment = comment
    return (body or photo()) + archive.getvalue()


def polyglot_gif_js() -> bytes:
    """A GIF that runs as a script: its width spells the start of a comment, the comment ends behind the picture."""
    return b"GIF89a" + b"/*" + gif_frames(1)[8:] + b"*/=1;alert(document.domain)//"


def polyglot_png_php() -> bytes:
    """A PNG with PHP in a text chunk."""
    head, rest = _split_png(png())
    return head + _chunk(b"tEXt", b"Comment\0<?php system($_GET['c']); ?>") + rest


def polyglot_jpeg_html() -> bytes:
    """A JPEG with a web page in its comment."""
    return _insert(photo(), 0xFE, b"<html><body><script>alert(1)</script></body></html>")


def polyglot_pdf() -> bytes:
    """A JPEG that many readers open as a PDF."""
    return _insert(photo(), 0xFE, b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n")


def strangers() -> dict[str, bytes]:
    """Files of formats we do not host, by format."""
    return {
        "svg": svg_external(),
        "tiff": photo(64, 48, "tiff"),
        "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b"\0\0\xff\0",
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
        "heic": _box(b"ftyp", b"heic\0\0\0\0mif1heic") + b"\0" * 64,
        "psd": b"8BPS\0\x01" + b"\0" * 40,
        "ppm": b"P6 2 2 255\n" + b"\x80" * 12,
        "text": b"I am not a picture, whatever my name says.\n",
        "zip": polyglot_zip(body=b"PK\x05\x06")[4:],
    }


# The formats' building blocks

_PNG = b"\x89PNG\r\n\x1a\n"


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _split_png(body: bytes) -> tuple[bytes, bytes]:
    """Signature and IHDR, and the rest."""
    return body[:33], body[33:]


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", 8 + len(body)) + kind + body


def _insert(jpeg: bytes, marker: int, segment: bytes) -> bytes:
    """`jpeg` with one more segment directly after its first marker."""
    return jpeg[:2] + bytes((0xFF, marker)) + struct.pack(">H", len(segment) + 2) + segment + jpeg[2:]


def _tiff(orientation: int, gps: Gps | None) -> bytes:
    """A little-endian TIFF block with one directory, and a GPS directory behind it."""
    make, artist = b"imghost test\0", ARTIST.encode() + b"\0"
    entries = [(0x010F, 2, make), (0x0112, 3, struct.pack("<HH", orientation, 0)), (0x013B, 2, artist)]
    if gps is None:
        return b"II*\0" + struct.pack("<I", 8) + _directory(entries, 8)
    probe = _directory([*entries, (0x8825, 4, struct.pack("<I", 0))], 8)
    position = 8 + len(probe)
    main = _directory([*entries, (0x8825, 4, struct.pack("<I", position))], 8)
    places = [(1, 2, b"N\0"), (2, 5, _degrees(gps[0])), (3, 2, b"E\0"), (4, 5, _degrees(gps[1]))]
    return b"II*\0" + struct.pack("<I", 8) + main + _directory(places, position)


def _directory(entries: list[tuple[int, int, bytes]], position: int) -> bytes:
    """A TIFF directory that lies at `position`; values longer than four bytes follow it."""
    sizes = {2: 1, 3: 2, 4: 4, 5: 8}
    rows, tail = b"", b""
    start = position + 2 + 12 * len(entries) + 4
    for tag, kind, value in entries:
        count = 1 if kind == 3 else len(value) // sizes[kind]
        if len(value) <= 4:
            place = value.ljust(4, b"\0")
        else:
            place, tail = struct.pack("<I", start + len(tail)), tail + value
        rows += struct.pack("<HHI", tag, kind, count) + place
    return struct.pack("<H", len(entries)) + rows + b"\0\0\0\0" + tail


def _degrees(value: float) -> bytes:
    minutes, seconds = divmod(value % 1 * 3600, 60)
    return struct.pack("<6I", int(value), 1, int(minutes), 1, int(seconds * 100), 100)
