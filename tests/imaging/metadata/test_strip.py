"""Originals without metadata: nothing private is left, and pixels, colours, orientation and animation are the same."""

import hashlib
import struct
from collections.abc import Callable

import numpy as np
import pytest
import pyvips

from imghost_core.contract.errors import MetadataNotRemovable
from imghost_dev.photographs import encode, scene
from imghost_imaging.metadata.strip import filter_name, strip
from support import hostile, image_formats, private_metadata, sample_images
from support.image_structure import unexpected
from support.private_metadata import CANARY, NOTICE, SAMPLES

STAYING = (
    "orientation",
    "icc-profile-data",
    "delay",
    "loop",
    "n-pages",
    "page-height",
    "background",
    "bits-per-sample",
)


def load(body: bytes) -> pyvips.Image:
    """Every frame of a file, below each other."""
    loaded = pyvips.Image.new_from_buffer(body, "", fail_on="error")
    return pyvips.Image.new_from_buffer(body, "[n=-1]") if loaded.get_typeof("n-pages") else loaded


def properties(image: pyvips.Image) -> dict[str, object]:
    """What must stay: size, density, and the fields above."""
    found = {name: image.get(name) for name in STAYING if image.get_typeof(name)}
    return (
        {"orientation": 1}
        | found
        | {"size": (image.width, image.height, image.bands), "density": (image.xres, image.yres)}
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_the_image_is_the_same_without_metadata(name: str) -> None:
    """Pixels of every frame, colour profile, orientation, density, delays and loops stay; no piece of metadata does."""
    kind, make = SAMPLES[name]
    original = make()
    assert original.count(CANARY) >= 2, "the sample carries metadata"
    delivered = strip(original, kind, keep_copyright=False)
    assert CANARY not in delivered
    assert NOTICE not in delivered
    before, after = load(original), load(delivered)
    assert properties(after) == properties(before)
    assert np.array_equal(after.numpy(), before.numpy())
    assert unexpected(delivered, kind) == set()


@pytest.mark.parametrize("name", SAMPLES)
def test_a_delivered_original_has_nothing_to_remove(name: str) -> None:
    """Filtered again, the file stays as it is."""
    kind, make = SAMPLES[name]
    delivered = strip(make(), kind, keep_copyright=False)
    assert strip(delivered, kind, keep_copyright=False) == delivered


CLEAN = {
    "jpeg": lambda: sample_images.photo(64, 48),
    "jpeg-cmyk": lambda: encode(scene(64, 48).colourspace("cmyk"), "jpeg"),
    "png": lambda: sample_images.png(64, 48),
    "gif": lambda: sample_images.gif(3),
    "webp": lambda: sample_images.webp(1),
    "webp-animated": lambda: sample_images.webp(3),
}


@pytest.mark.parametrize("name", CLEAN)
def test_a_file_without_metadata_is_not_changed(name: str) -> None:
    """What an encoder writes without metadata passes byte for byte, so that it is not stored twice."""
    body = CLEAN[name]()
    kind = name.partition("-")[0]
    assert strip(body, kind, keep_copyright=False) == body  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_stays_alone_and_only_when_it_turns(name: str, orientation: int) -> None:
    """EXIF with 2 to 8 becomes a block of this one tag; with 1 it disappears."""
    make = {"jpeg": private_metadata.jpeg, "png": private_metadata.png}.get(name)
    body = make(orientation) if make else private_metadata.webp(orientation=orientation)
    delivered = strip(body, name, keep_copyright=False)  # type: ignore[arg-type]
    alone = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes((orientation, 0, 0, 0)) + bytes(4)
    assert (alone in delivered) == (orientation > 1)
    assert (b"II*\0" in delivered) == (orientation > 1)


def test_big_endian_exif_is_understood() -> None:
    """The orientation of cameras that write big-endian EXIF stays as well."""
    body = sample_images.photo(64, 48)
    body = image_formats.insert(body, 0xE1, b"Exif\0\0" + private_metadata.tiff(3, big_endian=True))
    delivered = strip(body, "jpeg", keep_copyright=True)
    assert load(delivered).get("orientation") == 3
    assert NOTICE in delivered


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "jpeg-turned"])
def test_copyright_stays_where_the_tenant_wants_it(name: str) -> None:
    """With the setting the notice stays, readable by other programs, and still nothing else does."""
    kind, make = SAMPLES[name]
    delivered = strip(make(), kind, keep_copyright=True)
    assert load(delivered).get("exif-ifd0-Copyright").startswith(NOTICE.decode())
    assert CANARY not in delivered
    assert strip(delivered, kind, keep_copyright=True) == delivered


BY_HAND: dict[str, bytes] = {
    "jpeg": image_formats.insert(
        b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\2\1\0\x48\0\x48\0\0\xff\xc0\0\3\0\xff\xda\0\3\0\1\2\xff\0\3\xff\xd9tail",
        0xE1,
        b"Exif\0\0" + private_metadata.tiff(6),
    ),
    "png": image_formats.PNG_SIGNATURE
    + image_formats.chunk(b"IHDR", bytes(13))
    + image_formats.chunk(b"eXIf", private_metadata.tiff(3))
    + image_formats.chunk(b"IDAT", b"\1\2\3"),
    "gif": b"GIF89a\1\0\1\0\0\0\0!\xff\x0bNETSCAPE2.0\3\1\5\0\0!\xfe\1x\0,\0\0\0\0\1\0\1\0\0\2\1\0\0;",
    "webp": b"RIFF\x40\0\0\0WEBPVP8X\x0a\0\0\0\x0c\0\0\0\0\0\0\0\0\0VP8L\3\0\0\0\1\2\3\0XMP \1\0\0\0x\0",
}


def test_the_name_of_the_filter_stands_for_its_result() -> None:
    """Tags and keys rest on it: when this fails, the filter gives other bytes, so raise its version and this digest."""
    made = b"".join(strip(body, kind, keep_copyright=True) for kind, body in BY_HAND.items())  # type: ignore[arg-type]
    assert filter_name(keep_copyright=True) == "1-copyright"
    assert filter_name(keep_copyright=False) == "1"
    assert hashlib.sha256(made).hexdigest()[:16] == "4a3f6725e118bf20"


@pytest.mark.parametrize(
    ("kind", "make"),
    [
        ("jpeg", lambda: sample_images.photo()[:200]),
        ("jpeg", lambda: sample_images.photo()[:-2] + b"GPS: 48.2082 N, 16.3738 E, at home"),
        ("png", lambda: hostile.truncate(sample_images.png(), 50)),
        ("gif", lambda: hostile.truncate(sample_images.gif(), 50)),
        ("webp", lambda: hostile.truncate(sample_images.photo(format="webp"), 50)),
        ("avif", lambda: hostile.truncate(sample_images.photo(format="avif"), 50)),
    ],
    ids=["jpeg-headers", "jpeg-text-behind-a-cut", "png", "gif", "webp", "avif"],
)
def test_files_that_do_not_show_their_structure_are_refused(kind: str, make: Callable[[], bytes]) -> None:
    """Where it is not clear what is metadata, nothing is delivered, and the error says why and what to do."""
    with pytest.raises(MetadataNotRemovable, match=r"cannot be removed safely: .+\. Export the image again"):
        strip(make(), kind, keep_copyright=False)  # type: ignore[arg-type]


def test_a_jpeg_without_its_end_marker_is_completed() -> None:
    """A photograph that lacks only EOI, as some cameras write it, is delivered with one."""
    body = sample_images.photo(64, 48)
    assert strip(body[:-2], "jpeg", keep_copyright=False) == body


def test_every_frame_of_an_avif_sequence_stays() -> None:
    """Of the media data only EXIF and XMP are overwritten; user data and times leave the list of tracks."""
    original = private_metadata.avif_sequence()
    moov = original.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", original, moov)
    added = image_formats.box(b"udta", CANARY) + image_formats.box(b"uuid", bytes(16) + CANARY)
    tracks = struct.pack(">I", size + len(added)) + original[moov + 4 : moov + size] + added
    # Behind the media data, so that no offset in the file changes.
    body = original[:moov] + image_formats.box(b"free", bytes(size - 8)) + original[moov + size :] + tracks
    delivered = strip(body, "avif", keep_copyright=False)
    assert CANARY not in delivered
    media = original.index(b"mdat") + 4
    exif = original.index(b"\0\0\0\6Exif", media)
    frames = original.index(b"</x:xmpmeta>") + len("</x:xmpmeta>")
    assert delivered[media:exif] + delivered[frames : len(original)] == original[media:exif] + original[frames:]
    assert not any(delivered[exif:frames])
    created, kept = original.index(b"mvhd") + 8, delivered.index(b"mvhd") + 8
    assert any(original[created : created + 8])
    assert not any(delivered[kept : kept + 8])
    assert strip(delivered, "avif", keep_copyright=False) == delivered
