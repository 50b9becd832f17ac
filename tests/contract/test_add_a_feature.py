"""docs/add-a-feature.md, followed literally in a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from imghost_dev import addresses

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "add-a-feature.md"
BLOCK = re.compile(r"^```(python|diff)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PACKAGES = ("services/core", "services/api", "services/imaging", "operator", "local", "cli", "tools")
# Of the tests that the guide runs, those that see the new feature.
TESTS = ("tests/api/notes", "tests/api/access", "tests/api/db", "tests/api/http")
CONCERNED = "note or isolation or migrations_make or up_to_date or recorded or described"

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which every step was done."""
    copy = tmp_path_factory.mktemp("followed")
    for path in addresses.committed_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path)
    for language, path, content in BLOCK.findall(GUIDE.read_text()):
        if language == "python":
            assert not (copy / path).exists(), f"{path} is there already"
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).write_text(content)
        else:
            _run(copy, "git", "apply", "--recount", "-C1", "-", text=content)
    return copy


def _run(folder: Path, *command: str, text: str | None = None, **environment: str) -> None:
    """A step in the copy, with the copy's own packages."""
    environment |= {"PYTHONPATH": os.pathsep.join(str(folder / package) for package in PACKAGES)}
    program = command[0] if command[0] == "git" else str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(
        [program, *command[1:]],
        cwd=folder,
        input=text,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_steps_keep_the_rules_of_the_repository(followed: Path) -> None:
    """What the guide shows is formatted, passes the linter and keeps the import contracts."""
    _run(followed, "ruff", "check")
    _run(followed, "ruff", "format", "--check")
    _run(followed, "lint-imports")


@pytest.mark.timeout(300)
def test_the_steps_lead_to_a_working_feature(followed: Path) -> None:
    """The guide's own tests pass, and those that hold every table, route and permission together."""
    _run(followed, "python", "-m", "imghost_dev", "permissions", "write")
    _run(followed, "pytest", "-q", *TESTS, "-k", CONCERNED, UPDATE_GOLDEN="1")
