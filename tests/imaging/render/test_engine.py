"""Libvips is started safely, or not at all."""

import subprocess
import sys

import pytest
import pyvips

from imghost_imaging.formats import DEFAULT_FORMATS
from imghost_imaging.render import engine
from support import hostile, sample_images


@pytest.fixture(autouse=True)
def all_formats_afterwards() -> object:
    yield
    engine.start(("jpeg", "png", "gif", "webp", "avif"))


@pytest.mark.parametrize("name", ["tiff", "svg", "ppm"])
def test_other_loaders_are_blocked(name: str) -> None:
    """Libvips itself refuses what is not on the list, whatever our own look at the bytes says."""
    engine.start(DEFAULT_FORMATS)
    with pytest.raises(pyvips.Error):
        pyvips.Image.new_from_buffer(hostile.unsupported_formats()[name], "")


def test_loaders_of_disabled_formats_are_blocked() -> None:
    """Only the loaders of FORMATS are open; starting again with more opens them."""
    body = sample_images.photo(64, 48, "avif")
    engine.start(("jpeg",))
    for shut in (body, sample_images.png(), sample_images.gif(), sample_images.webp()):
        with pytest.raises(pyvips.Error):
            pyvips.Image.new_from_buffer(shut, "")
    engine.start(("avif",))
    assert pyvips.Image.new_from_buffer(body, "").width == 64


def test_libvips_uses_one_thread_and_no_cache() -> None:
    """RenderQueue are the parallelism, and nothing of one image stays for the next."""
    engine.start(DEFAULT_FORMATS)
    assert (pyvips.concurrency_get(), pyvips.cache_get_max()) == (1, 0)


def test_an_old_libvips_is_rejected_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system libvips that slipped in is refused with one line that says what to do."""
    monkeypatch.setattr(pyvips, "version", lambda part: (8, 14, 1)[part])
    with pytest.raises(engine.UnsafeLibvips, match=r"libvips 8\.14\.1 .* 8\.18\.6 or newer .* Install pyvips-binary"):
        engine.start(DEFAULT_FORMATS)


def test_a_loader_that_is_not_blocked_is_rejected_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """If blocking ever stops working, the service refuses to start instead of being open."""
    pyvips.operation_block_set("VipsForeignLoad", False)
    monkeypatch.setattr(pyvips, "operation_block_set", lambda *_: None)
    with pytest.raises(engine.UnsafeLibvips, match="still opens SVG"):
        engine.start(DEFAULT_FORMATS)


def test_a_wrong_decoder_is_rejected_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A codec whose images do not come back as they went in keeps the service from starting."""
    real = pyvips.Image.thumbnail_buffer
    monkeypatch.setattr(pyvips.Image, "thumbnail_buffer", lambda *args: real(*args).invert())
    with pytest.raises(engine.UnsafeLibvips, match="decodes jpeg wrongly"):
        engine.start(DEFAULT_FORMATS)


def test_only_render_imports_pyvips() -> None:
    """The service itself runs without libvips, so it cannot decode by accident."""
    code = "import sys; sys.modules['pyvips'] = None\nimport imghost_imaging.main\n"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
