"""What the documents point at exists: links, headings, files, and the Secrets that an operator is to touch."""

import re
from pathlib import Path

import pytest

from imghost_dev import addresses
from imghost_operator.crd.spec import Credentials
from imghost_operator.provision.recovery import PREFIX
from imghost_operator.reconcile_context import FINALIZER

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "charts").rglob("*.md")])
NAMED = re.compile(r"`((?:\w[\w.-]*/)+(?:[\w-]+\.(?:py|md|yaml|toml|txt))?)`")

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))


def _anchors(document: Path) -> set[str]:
    """The anchors of all headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_document
def test_links_lead_somewhere(document: Path) -> None:
    """A relative link names a file of the repository, and its fragment a heading in it."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if "://" in target:
            continue
        path, _, fragment = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (fragment and fragment not in _anchors(file)):
            broken.append(target)
    assert broken == []


@pytest.fixture(scope="module")
def paths() -> str:
    """Every file of the repository and every folder, a line each, beginning and ending with a slash."""
    files = addresses.committed_files()
    folders = {parent for file in files for parent in file.parents}
    return "\n".join([*(f"/{file}" for file in files), *(f"/{folder}/" for folder in folders)]) + "\n"


@each_document
def test_files_and_folders_in_the_text_exist(document: Path, paths: str) -> None:
    """A path is one of the repository, or the end of one: `render/` is that of imaging. Decisions and old names
    may be others.
    """
    if document.parent.name == "adr" or document.name == "renamed.md":
        return
    missing = [name for name in NAMED.findall(document.read_text()) if f"/{name}\n" not in paths]
    assert missing == []


def test_the_operations_guide_names_secrets_and_finalizer_as_they_are() -> None:
    """Who follows the guide names the recovery Secret and parts of the spec; a renamed one would do nothing."""
    text = (ROOT / "docs" / "operations.md").read_text()
    parts = set(re.findall(r"`credentials\.([A-Za-z]+)`", text))
    assert parts == {field.alias or name for name, field in Credentials.model_fields.items()}
    named = set(re.findall(r"-n imghost-system (?:get|patch) secret ([a-z-]+)", text))
    assert named == {f"{PREFIX}demo"}
    assert f"`{FINALIZER}`" in text
