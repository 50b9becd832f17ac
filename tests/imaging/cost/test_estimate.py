"""The estimate from the header is never below what the real decoder takes, and not absurdly above."""

import struct
import sys
import tracemalloc
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
import pyvips

from imghost_core.contract.errors import CorruptImage
from imghost_imaging import main
from imghost_imaging.cost import estimate, shape
from imghost_imaging.cost.shape import Shape
from imghost_imaging.formats import FORMATS, Format
from imghost_imaging.sandbox.sandbox import Job, Sandbox
from support import hostile, sample_images
from support.sample_images import encode, scene

MIB = 1024**2


def deep(width: int, height: int) -> pyvips.Image:
    return (scene(width, height, noise=0).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")


def noise(width: int, height: int, bands: int = 3) -> pyvips.Image:
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, bands), dtype=np.uint8)
    return pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")


IMAGES: dict[str, tuple[Format, Callable[[], bytes]]] = {
    "jpeg": ("jpeg", lambda: encode(scene(2400, 1800, noise=0), "jpeg")),
    "jpeg progressive": ("jpeg", lambda: encode(scene(2400, 1800, noise=0), "jpeg", interlace=True)),
    "jpeg cmyk progressive": (
        "jpeg",
        lambda: encode(scene(2400, 1800, noise=0).colourspace("cmyk"), "jpeg", interlace=True),
    ),
    "png interlaced": ("png", lambda: encode(scene(2400, 1800, noise=0), "png", interlace=True, compression=1)),
    "png interlaced, 16 bits": ("png", lambda: encode(deep(2400, 1800), "png", interlace=True, compression=1)),
    "png interlaced, 16 bits, alpha": (
        "png",
        lambda: encode(deep(2400, 1800).bandjoin(30_000), "png", interlace=True, compression=1),
    ),
    "png wide": ("png", lambda: encode(scene(16_000, 400, noise=0), "png", compression=1)),
    "gif": ("gif", lambda: sample_images.gif(1, 1800, 1200)),
    "gif of noise with alpha": (
        "gif",
        lambda: encode(
            noise(2000, 2000, bands=4).extract_band(0, n=3).bandjoin(noise(2000, 2000)[0] > 127), "gif", effort=1
        ),
    ),
    "gif animated": ("gif", lambda: sample_images.gif(40, 800, 600)),
    "webp lossless": ("webp", lambda: encode(scene(2400, 1800, noise=0), "webp", lossless=True, effort=0)),
    "webp animated": ("webp", lambda: sample_images.webp(40, 800, 600)),
    "webp of noise with alpha": ("webp", lambda: encode(noise(2400, 1800, bands=4), "webp", effort=0)),
    "png of noise with alpha": ("png", lambda: encode(noise(1700, 1700, bands=4), "png", compression=1)),
    "png of noise": ("png", lambda: encode(noise(1100, 1100), "png", compression=1)),
    "avif of noise with alpha": ("avif", lambda: encode(noise(1700, 1700, bands=4), "avif", effort=0)),
    "avif": ("avif", lambda: encode(scene(1800, 1200, noise=0), "avif", effort=0)),
    "avif, 12 bits": ("avif", lambda: encode(deep(1800, 1200), "avif", effort=0, bitdepth=12)),
}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """The real decoder."""
    made = Sandbox([*main.DECODER, ",".join(FORMATS)], 0)
    async with made.opened():
        yield made


@pytest.mark.parametrize("name", IMAGES)
async def test_the_estimate_holds_what_the_decoder_takes(sandbox: Sandbox, name: str) -> None:
    """Within the limit of its estimate each image is rendered, and at least a third of what exceeds 64 MiB is used."""
    kind, make = IMAGES[name]
    body = make()
    expected = estimate.child_bytes(body, kind, shape.read(body, kind))
    answer = await sandbox.run(
        Job(
            "render",
            {"pixels": 100_000_000, "frames": 300},
            expected,
            60,
            estimate.answer_bytes(shape.read(body, kind)),
        ),
        body,
    )
    assert "result" in answer.head, answer.head
    sys.stdout.write(f"{name}: {answer.peak // MIB} of {expected // MIB} MiB\n")
    assert answer.peak <= expected <= 3 * answer.peak + 64 * MIB


NOISE: dict[str, tuple[Format, Callable[[], bytes]]] = {
    "still": ("png", lambda: encode(noise(1600, 1600), "png", compression=1)),
    "still, alpha": ("png", lambda: encode(noise(1600, 1600, bands=4), "png", compression=1)),
    "exact": ("png", lambda: encode(noise(1150, 1150, bands=4), "png", compression=1)),
    "small": ("png", lambda: encode(noise(190, 190, bands=4), "png", compression=1)),
    "animated": ("gif", lambda: sample_images.gif(10, 400, 400)),
}


@pytest.mark.parametrize("name", NOISE)
async def test_the_renditions_of_any_image_fit_into_the_bound_of_its_answer(sandbox: Sandbox, name: str) -> None:
    """Also those of noise, which no codec makes smaller: the bound stops what a compromised decoder makes up."""
    kind, make = NOISE[name]
    body = make()
    found = shape.read(body, kind)
    most = estimate.answer_bytes(found)
    job = Job("render", {"pixels": 10**8, "frames": 300}, 512 * MIB, 60, 10 * most)
    answer = await sandbox.run(job, body)
    assert "result" in answer.head, answer.head
    taken = sum(map(len, answer.bodies))
    sys.stdout.write(f"{name}: {taken} of {most} bytes\n")
    assert taken <= most


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (encode(scene(48, 32), "jpeg"), "jpeg", Shape(48, 32, 1, 3, 0)),
        (encode(scene(48, 32), "jpeg", interlace=True), "jpeg", Shape(48, 32, 1, 3, 2 * 64 * 48 * 3 // 2)),
        (encode(scene(48, 32), "png"), "png", Shape(48, 32, 1, 3, 0)),
        (encode(deep(48, 32), "png", interlace=True), "png", Shape(48, 32, 1, 6, 48 * 32 * 6 * 9 // 8)),
        (sample_images.gif(3, 48, 32), "gif", Shape(48, 32, 3, 4, 13 * 48 * 32)),
        (sample_images.webp(1, 48, 32), "webp", Shape(48, 32, 1, 4, 0)),
        (encode(scene(48, 32), "webp", lossless=True), "webp", Shape(48, 32, 1, 4, 4 * 48 * 32)),
        (encode(noise(48, 32, bands=4), "webp"), "webp", Shape(48, 32, 1, 4, 48 * 32, alpha=True)),
        (encode(noise(48, 32, bands=4), "png"), "png", Shape(48, 32, 1, 4, 0, alpha=True)),
        (sample_images.webp(3, 48, 32), "webp", Shape(48, 32, 3, 4, 8 * 48 * 32)),
        (encode(scene(48, 32), "avif"), "avif", Shape(48, 32, 1, 4, 16 * 48 * 32)),
    ],
)
def test_the_header_gives_the_shape(body: bytes, kind: Format, expected: Shape) -> None:
    """Size, frames, and what is held for the whole image."""
    assert shape.read(body, kind) == expected


@pytest.mark.parametrize("kind", FORMATS)
def test_a_header_that_makes_no_sense_is_an_empty_image(kind: Format) -> None:
    """Cut anywhere, a file is never another error; what is wrong with it, the decoder says."""
    body = sample_images.photo(64, 48, kind)
    for end in range(4, min(200, len(body))):
        shape.read(body[:end], kind)
    assert shape.read(b"", kind).width == 0


async def test_a_header_that_lies_does_not_get_more_memory(sandbox: Sandbox) -> None:
    """A PNG of 81 megapixels whose estimate was that of a small image runs into its limit, and is refused."""
    body = hostile.bomb_png(9000, 9000)
    interlaced = body[:28] + b"\x01" + body[29:]  # with a wrong CRC: refused before it is decoded
    arguments = {"pixels": 100_000_000, "frames": 300}
    refused = await sandbox.run(Job("render", arguments, 48 * MIB, 60, MIB), interlaced)
    assert refused.head["refused"] == "corrupt_image"
    whole = encode(pyvips.Image.black(9000, 9000, bands=3).copy(interpretation="srgb"), "png", interlace=True)
    answer = await sandbox.run(Job("render", arguments, 8 * MIB, 60, MIB), whole)
    assert "result" not in answer.head
    assert answer.peak < 120 * MIB


def test_an_avif_of_too_many_items_is_refused_without_memory_for_each() -> None:
    """A million sizes in 25 MB cost the service nothing before it is refused; a thousand are an image."""
    body = encode(scene(48, 32), "avif")
    small = struct.pack(">4sIII", b"ispe", 0, 1, 1)
    assert shape.read(body + small * 900, "avif") == shape.read(body, "avif")
    many = body + small * 1_000_000
    tracemalloc.start()
    with pytest.raises(CorruptImage):
        shape.read(many, "avif")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MIB


def test_frames_of_a_gif_are_counted_up_to_a_bound() -> None:
    """A GIF of a million frames costs the service no memory for each."""
    assert shape.read(hostile.gif_frames(20_000), "gif").frames == 5_001


def test_a_jpeg_of_several_scans_holds_its_coefficients() -> None:
    """Also a sequential one: the decoder needs the whole image, whatever the frame header says."""
    body = encode(scene(64, 64), "jpeg")
    scan = body.index(b"\xff\xda")
    one = body[:scan] + struct.pack(">2sHB", b"\xff\xda", 8, 1) + b"\1\0\0\x3f\0" + body[scan + 14 :]
    assert shape.read(one, "jpeg").whole > 0
