"""Write or check `requirements/*.txt`: every package that is installed, with its version and its hashes.

`write` resolves and needs the network; `check` does not: each file carries a digest
of the parts of pyproject.toml that it was resolved from. No file names the index that it was resolved with, so any
index can be used.
"""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path("requirements")
PROJECT = "pyproject.toml"
# The first is resolved without constraints; the others take its versions, so that what is tested is what is shipped.
# With PROJECT a file has the dependencies of imghost itself; without, only those of the groups.
FILES = {
    "dev": (PROJECT, "--extra=cli", "--group=dev"),
    "cli": (PROJECT, "--extra=cli", "--group=build"),
    "api": (
        PROJECT,
        "--extra=api",
    ),
    "imaging": (
        PROJECT,
        "--extra=imaging",
    ),
    "operator": (
        PROJECT,
        "--extra=operator",
    ),
    "build": ("--group=build",),  # the tools that make the wheel in the build stage of the images
}
SETTINGS = (
    "--quiet",
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-header",
    "--annotation-style=line",
)


def digest() -> str:
    """A hash of the dependencies that pyproject.toml declares."""
    settings = tomllib.loads(Path("pyproject.toml").read_text())
    project = settings["project"]
    asked = [
        project["requires-python"],
        project["dependencies"],
        project["optional-dependencies"],
        settings["dependency-groups"],
        settings["build-system"],
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def write(*options: str) -> None:
    """Resolve every file. Versions stay if pyproject.toml allows them, except with the option `--upgrade`."""
    for name, what in FILES.items():
        target = FOLDER / f"{name}.txt"
        constraint = () if name == "dev" else (f"--constraint={FOLDER / 'dev.txt'}",)
        uv = Path(sys.executable).with_name("uv")
        argv = [uv, "pip", "compile", *what, *constraint, f"--output-file={target}"]
        subprocess.run([*argv, *SETTINGS, *options], check=True, env={**os.environ, "UV_NO_CONFIG": "1"})
        body = target.read_text()
        target.write_text(f"# Written by `make requirements` from pyproject.toml.\n# asked: {digest()}\n{body}")


def check() -> None:
    """End with an error naming the files that were made from another pyproject.toml."""
    asked = digest()
    stale = [name for name in FILES if f"# asked: {asked}\n" not in (FOLDER / f"{name}.txt").read_text()]
    if stale:
        sys.exit(f"requirements/ is older than pyproject.toml: {', '.join(stale)}. Run `make requirements`.")


def main(arguments: Sequence[str]) -> None:
    """`write [OPTION OF UV...]` or `check`."""
    match arguments:
        case ["write", *options]:
            write(*options)
        case ["check"]:
            check()
        case _:
            sys.exit("usage: requirements write [OPTION OF UV...] | check")
