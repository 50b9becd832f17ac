"""Every good image the tests use, made in code: photographs, animations, and what phones and print shops send.

Each function returns the bytes of a file. Images are the same on every run, and made once per process.
"""

import struct
from functools import cache
from typing import Any

import numpy as np
import pyvips

from imghost_dev.photographs import SRGB, encode, photo, scene
from support import image_formats
from support.image_formats import Gps

__all__ = [
    "ARTIST",
    "cmyk",
    "encode",
    "exif_photo",
    "gif",
    "grey",
    "phone_photo",
    "photo",
    "png",
    "png16",
    "rotate",
    "rotate_animation",
    "scene",
    "webp",
    "with_exif",
    "with_xmp",
]


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
    strip = pyvips.Image.arrayjoin(pages, across=1).copy(interpretation=SRGB)
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
    """An image of one channel."""
    return encode(scene(width, height).colourspace("b-w"), format)


def rotate(orientation: int, width: int = 120, height: int = 80) -> bytes:
    """A JPEG that must be turned by EXIF `orientation` (1-8); upright, its top-left quarter is red, the rest blue.

    The stored pixels are those of a camera held that way, so for 5-8 they are `height` by `width`.
    """
    upright = np.zeros((height, width, 3), np.uint8)
    upright[..., 2] = 255
    upright[: height // 2, : width // 2] = (255, 0, 0)
    stored = _UNTURN[orientation](upright)
    body = encode(pyvips.Image.new_from_array(np.ascontiguousarray(stored)).copy(interpretation=SRGB), "jpeg", 95)
    return with_exif(body, orientation=orientation)


def rotate_animation(orientation: int, frames: int = 3, width: int = 120, height: int = 80) -> bytes:
    """An animated WebP to be turned by EXIF `orientation`; upright, each frame is as that of `rotate`, and darker
    than the one before.
    """
    upright = np.zeros((height, width, 3), np.uint8)
    upright[..., 2] = 255
    upright[: height // 2, : width // 2] = (255, 0, 0)
    stored = _UNTURN[orientation](upright)
    pages = np.concatenate([stored // (number + 1) for number in range(frames)])
    strip = pyvips.Image.new_from_array(np.ascontiguousarray(pages)).copy(interpretation=SRGB)
    strip.set_type(pyvips.GValue.gint_type, "page-height", stored.shape[0])
    strip.set_type(pyvips.GValue.array_int_type, "delay", [50] * frames)
    strip.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return bytes(strip.webpsave_buffer(lossless=True))


_UNTURN = {  # upright -> stored, the inverse of what EXIF 2.3 (table of tag 0x0112) asks a viewer to do
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
    block = b"Exif\0\0" + image_formats.tiff(orientation, ARTIST, gps)
    return image_formats.insert(jpeg, 0xE1, block)


def with_xmp(jpeg: bytes, packet: bytes = b"") -> bytes:
    """`jpeg` with an XMP packet, as every editor and most phones write it."""
    packet = packet or (
        b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1"/>'
        b'</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )
    return image_formats.insert(jpeg, 0xE1, b"http://ns.adobe.com/xap/1.0/\0" + packet)


def phone_photo(width: int = 640, height: int = 480) -> bytes:
    """What a phone really sends: EXIF, XMP, an MPF index, a second JPEG behind the first, and a motion-photo MP4."""
    second = photo(160, 120)
    first = with_exif(with_xmp(photo(width, height)), gps=(48.2, 16.37))
    index = b"MPF\0" + b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHI4s", 0xB000, 7, 4, b"0100")
    boxes = ((b"ftyp", b"isom\0\0\2\0isomiso2mp41"), (b"mdat", bytes(range(256)) * 300), (b"moov", bytes(64)))
    film = b"".join(image_formats.box(kind, body) for kind, body in boxes)
    return image_formats.insert(first, 0xE2, index + b"\0\0\0\0") + second + film
