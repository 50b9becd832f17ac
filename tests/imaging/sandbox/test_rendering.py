"""Every kind of image is rendered in the sandbox as without it: a decoder needs no file after it was forked."""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from imghost_imaging.formats import FORMATS
from imghost_imaging.main import DECODER
from imghost_imaging.memory_budget import MemoryBudget
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render import engine, pipeline
from imghost_imaging.renderer import Renderer
from imghost_imaging.sandbox import server_process
from imghost_imaging.sandbox.sandbox import Sandbox
from support import colour_profiles as profiles
from support import hand_made_images as made
from support import sample_images
from support.image_formats import chunk
from support.rendering import LIMITS

HUGE_PAGES = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SCENE = made.colours()
IMAGES: dict[str, Callable[[], bytes]] = {
    "photo": sample_images.photo,
    "turned": lambda: sample_images.rotate(6),
    "cmyk": sample_images.cmyk,
    "grey": sample_images.grey,
    "profile": lambda: made.jpeg(SCENE, profiles.profile("Wide", profiles.P3, 1.8)),
    "grey profile": lambda: made.jpeg(SCENE[..., 1], profiles.grey_profile("Linear", 1.0)),
    "phone": sample_images.phone_photo,
    "png": sample_images.png,
    "png of 16 bits": sample_images.png16,
    "apng": lambda: made.apng(3),
    "gAMA": lambda: made.png(SCENE, chunk(b"gAMA", struct.pack(">I", 100_000))),
    "gAMA of grey": lambda: made.png(np.ascontiguousarray(SCENE[..., 1]), chunk(b"gAMA", struct.pack(">I", 100_000))),
    "cICP": lambda: made.png(SCENE, chunk(b"cICP", bytes((12, 16, 0, 1)))),
    "gif": sample_images.gif,
    "animated gif": lambda: sample_images.gif(4),
    "webp": sample_images.webp,
    "animated webp": lambda: sample_images.webp(4),
    "turned animation": lambda: sample_images.rotate_animation(6),
    "avif": lambda: sample_images.photo(format="avif"),
}


@pytest.fixture(scope="module", autouse=True)
def _libvips() -> None:
    engine.start(FORMATS)


async def test_a_child_faults_in_large_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A photograph costs less than half of the page faults that it costs a child with the allocator's own defaults,
    where the kernel has large pages; elsewhere no more.
    """
    body = sample_images.photo(3000, 2000)
    tuned = await count_faults(body)
    monkeypatch.setattr(server_process, "_ALLOCATOR", "")
    has_large_pages = HUGE_PAGES.exists() and "[never]" not in HUGE_PAGES.read_text()
    assert tuned < await count_faults(body) * (0.5 if has_large_pages else 1.1)


async def count_faults(body: bytes) -> int:
    """Page faults of all children that a fork server had: one that did nothing, and one that rendered `body`."""
    sandbox = Sandbox([*DECODER, ",".join(FORMATS)], 1)
    metrics = ImagingMetrics(CollectorRegistry())
    renderer = Renderer(sandbox, MemoryBudget(768 * 1024**2), FORMATS, LIMITS, metrics)
    async with sandbox.opened():
        await renderer.render(body, until=asyncio.get_running_loop().time() + 60)
        fields = Path(f"/proc/{sandbox.server_pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[8])  # cminflt: of children that were waited for (proc_pid_stat(5))


async def test_the_sandbox_renders_what_is_rendered_without_it() -> None:
    """The renditions are the same, byte for byte."""
    sandbox = Sandbox([*DECODER, ",".join(FORMATS)], 1)
    metrics = ImagingMetrics(CollectorRegistry())
    renderer = Renderer(sandbox, MemoryBudget(768 * 1024**2), FORMATS, LIMITS, metrics)
    async with sandbox.opened():
        for name, make in IMAGES.items():
            body = make()
            rendered = await renderer.render(body, until=asyncio.get_running_loop().time() + 10)
            assert rendered == pipeline.render(body, FORMATS, LIMITS), name
