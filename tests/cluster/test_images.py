"""The container images: fit to run, the same each time, with nothing of the machine that built them."""

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from imghost_dev import builders
from imghost_dev.images import BUDGETS, DEPLOYABLES, MEGABYTE, REPOSITORY, Image, Images

pytestmark = pytest.mark.timeout(600)  # one that has changed is built here


@pytest.fixture(scope="module")
def images() -> Images:
    """What makes them, with what this machine has for it."""
    return Images(builders.find())


@pytest.fixture(scope="module", params=DEPLOYABLES)
def image(request: pytest.FixtureRequest, images: Images) -> Image:
    """Each image of the product."""
    return images.deployable(request.param)


def _layers(archive: Path) -> Iterator[tarfile.TarFile]:
    """The layers of an archive that `docker save` or its like wrote, lowest first."""
    with tarfile.open(archive) as outer:
        (manifest,) = json.load(outer.extractfile("manifest.json"))  # type: ignore[arg-type] - it is a file
        for name in manifest["Layers"]:
            content = outer.extractfile(name)
            assert content is not None
            with tarfile.open(fileobj=content) as layer:
                yield layer


def _config(archive: Path) -> dict[str, object]:
    with tarfile.open(archive) as outer:
        (manifest,) = json.load(outer.extractfile("manifest.json"))  # type: ignore[arg-type] - it is a file
        found: dict[str, object] = json.load(outer.extractfile(manifest["Config"]))  # type: ignore[arg-type] - it is one
        return found


def test_an_image_has_what_its_process_needs_and_no_more(image: Image, images: Images) -> None:
    """Inside: an ordinary user, the process and its libraries importable, bytecode ready, codecs in order; no compiler,
    no installer, nothing of the other deployables.
    """
    assert "user 65532" in images.smoke(image)


def test_an_image_stays_within_its_size_budget(image: Image, images: Images) -> None:
    """What an image has above its base stays within its budget."""
    assert images.size_above_base(image) <= BUDGETS[image.name] * MEGABYTE


def test_an_image_has_a_bill_of_materials(image: Image) -> None:
    """The label leads to a CycloneDX list of Python and Debian packages, with imghost itself among them."""
    labels = _config(image.archive)["config"]["Labels"]  # type: ignore[index] - a nested document
    where = labels["dev.imghost.sbom"].removeprefix("/")
    (text,) = [
        member.read()
        for layer in _layers(image.archive)
        if where in layer.getnames() and (member := layer.extractfile(where))
    ]
    bill = json.loads(text)
    listed = {component["name"] for component in bill["components"]}
    assert {"imghost", "pydantic", "libc6"} <= listed
    assert bill["bomFormat"] == "CycloneDX"


def test_an_image_holds_no_secret_of_its_build(image: Image) -> None:
    """Pip's settings and certificates were seen by one step of the build; no layer has them, nor the sources."""
    suspicious = {"etc/pip.conf", "etc/pip-ca.pem", "root/.cache", "src", "build"}
    names = {name.removeprefix("./") for layer in _layers(image.archive) for name in layer.getnames()}
    assert names & suspicious == set()
    assert not [name for name in names if name.endswith((".whl", "/pip.conf"))]


def test_the_same_sources_make_the_same_image(images: Images, tmp_path: Path) -> None:
    """Built again from nothing the layers are the same to the last bit, so that anyone can check what we ship."""
    before = images.deployable("operator")
    tag, again = f"{REPOSITORY}/operator:again", tmp_path / "again.tar"
    images.build(images.recipe("operator"), tag, cached=False)
    images.builder.save(tag, again)
    images.builder.remove(tag)
    assert _config(again)["rootfs"] == _config(before.archive)["rootfs"]
