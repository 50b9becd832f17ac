"""The pinned requirements of the repository."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PINNED = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)


def test_build_requirements_have_no_dependency_of_the_product() -> None:
    """The build stage of the images installs the tools that make a wheel, and nothing that the product imports."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies = {re.split(r"[^a-z0-9-]", dependency, maxsplit=1)[0] for dependency in project["dependencies"]}
    pinned = set(PINNED.findall((ROOT / "requirements" / "build.txt").read_text()))
    assert "hatchling" in pinned
    assert pinned & dependencies == set()
