"""Files that a careful server refuses or defuses: cut, inflated, of two formats together, or of formats we do not host.

Each function returns the bytes of a file, the same on every run.
"""

import io
import struct
import zipfile
import zlib
from functools import cache

import numpy as np

from support import image_formats, sample_images


def broken_exif() -> bytes:
    """A JPEG whose EXIF points far outside itself."""
    return image_formats.insert(sample_images.photo(), 0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f" + b"\xff" * 40)


def broken_icc(format: str = "jpeg") -> bytes:  # noqa: A002
    """An image whose colour profile is noise."""
    noise = np.random.default_rng(7).bytes(600)
    if format == "jpeg":
        return image_formats.insert(sample_images.photo(), 0xE2, b"ICC_PROFILE\0\x01\x01" + noise)
    head, rest = image_formats.split_png(sample_images.png())
    return head + image_formats.chunk(b"iCCP", b"odd\0\0" + zlib.compress(noise)) + rest


def truncate(body: bytes, percent: int) -> bytes:
    """The first `percent` of a file."""
    return body[: max(1, len(body) * percent // 100)]


@cache
def bomb_png(width: int = 30_000, height: int = 30_000) -> bytes:
    """A valid one-bit PNG of `width` x `height`: about 110 kB that want to be hundreds of megabytes."""
    packer = zlib.compressobj(9)
    row = b"\0" * (1 + (width + 7) // 8)
    rows = b"".join(packer.compress(row * 100) for _ in range(height // 100)) + packer.compress(row * (height % 100))
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", rows + packer.flush()), (b"IEND", b""))
    return image_formats.PNG_SIGNATURE + b"".join(image_formats.chunk(kind, body) for kind, body in chunks)


def jpeg_claiming(width: int = 64_250, height: int = 64_250) -> bytes:
    """A small JPEG whose header was patched to claim another size."""
    body = bytearray(sample_images.photo())
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
    return (body or sample_images.photo()) + archive.getvalue()


def polyglot_gif_js() -> bytes:
    """A GIF that runs as a script: its width spells the start of a comment, the comment ends behind the image."""
    return b"GIF89a" + b"/*" + gif_frames(1)[8:] + b"*/=1;alert(document.domain)//"


def polyglot_png_php() -> bytes:
    """A PNG with PHP in a text chunk."""
    head, rest = image_formats.split_png(sample_images.png())
    return head + image_formats.chunk(b"tEXt", b"Comment\0<?php system($_GET['c']); ?>") + rest


def polyglot_jpeg_html() -> bytes:
    """A JPEG with a web page in its comment."""
    return image_formats.insert(sample_images.photo(), 0xFE, b"<html><body><script>alert(1)</script></body></html>")


def polyglot_pdf() -> bytes:
    """A JPEG that many readers open as a PDF."""
    return image_formats.insert(sample_images.photo(), 0xFE, b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\n")


def unsupported_formats() -> dict[str, bytes]:
    """Files of formats we do not host, by format."""
    return {
        "svg": svg_external(),
        "tiff": sample_images.photo(64, 48, "tiff"),
        "bmp": b"BM" + struct.pack("<IHHIIiiHHIIiiII", 58, 0, 0, 54, 40, 1, 1, 1, 24, 0, 4, 0, 0, 0, 0) + b"\0\0\xff\0",
        "pdf": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
        "heic": image_formats.box(b"ftyp", b"heic\0\0\0\0mif1heic") + b"\0" * 64,
        "psd": b"8BPS\0\x01" + b"\0" * 40,
        "ppm": b"P6 2 2 255\n" + b"\x80" * 12,
        "text": b"I am not an image, whatever my name says.\n",
        "zip": polyglot_zip(body=b"PK\x05\x06")[4:],
    }
