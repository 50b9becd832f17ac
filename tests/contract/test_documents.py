"""What the documents point at exists: links, headings, files, and the Secrets that an operator is to touch."""

import re
from pathlib import Path

import pytest

from imghost_dev import addresses
from imghost_operator.reconcile_context import FINALIZER
from imghost_operator.tenant_objects.secrets import OF

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
    """Who follows the guide deletes Secrets by name; a renamed one would be left in place without an error."""
    text = (ROOT / "docs" / "operations.md").read_text()
    named = {
        name
        for names in re.findall(r"-n imghost-demo (?:delete|get|patch) secret ([a-z -]+?)(?: -|`|\n)", text)
        for name in names.split()
    }
    assert {"database-owner", "storage", "api-signing"} < named
    assert named <= {secret for secrets in OF.values() for secret in secrets}
    assert f"`{FINALIZER}`" in text
