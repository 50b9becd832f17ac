"""Runs inside an image, on its standard input, and fails with what is wrong in it: `python3 - NAME`.

What it uses must be in the image: Python's own library and imghost.
"""

import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path

# The modules that each image must have, and packages that it must not have.
MAINS = {
    "operator": ["imghost_operator.main"],
    "api": ["imghost_api.main", "imghost_api.worker", "imghost_api.migrate"],
    "imaging": ["imghost_imaging.main"],
}
FOREIGN = {
    "operator": ["kubernetes", "pyvips", "fastapi", "imghost_api", "imghost_imaging"],
    "api": ["kopf", "pyvips", "imghost_operator", "imghost_imaging"],
    "imaging": ["kopf", "fastapi", "alembic", "imghost_operator", "imghost_api"],
}
FOREIGN_TO_ALL = ["pip", "typer", "rich", "imghost_cli", "imghost_local", "imghost_dev"]
ENTRYPOINTS = {"operator": ["entrypoint"], "api": ["entrypoint", "server"], "imaging": ["entrypoint"]}
TOOLS = ("gcc", "cc", "g++", "make", "pip", "pip3", "git", "curl")


def faults(name: str) -> Iterator[str]:
    """What is wrong, a line each."""
    if os.getuid() == 0:
        yield "runs as root"
    yield from (f"has {tool}" for tool in TOOLS if shutil.which(tool))
    yield from (f"has the package {package}" for package in development_packages())
    yield from (f"can import {module}" for module in [*FOREIGN_TO_ALL, *FOREIGN[name]] if find_spec(module))
    yield from (f"may write {folder}" for folder in ("/", "/opt/imghost", "/usr") if os.access(folder, os.W_OK))
    for module in MAINS[name]:
        importlib.import_module(module)
    missing = [module.__name__ for module in list(sys.modules.values()) if is_without_bytecode(module)]
    yield from (f"has no bytecode of {module}" for module in missing)
    if shutil.which("imghost"):
        yield "has the command imghost"
    yield from entrypoint_faults(ENTRYPOINTS[name])
    if name == "imaging":
        yield from codec_faults()


def entrypoint_faults(command: list[str]) -> Iterator[str]:
    """Started without settings, the process ends with one line that names them."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]})
    if done.returncode != 1 or len(done.stderr.splitlines()) != 1:
        yield f"{' '.join(command)} ended with {done.returncode}: {done.stderr}"


def development_packages() -> list[str]:
    """Debian's packages for building."""
    query = ["dpkg-query", "--show", "--showformat=${Package}\n"]
    listed = subprocess.run(query, capture_output=True, text=True, check=True)
    return [package for package in listed.stdout.split() if package.endswith("-dev")]


def is_without_bytecode(module: object) -> bool:
    """Whether a module of ours or of a library would be compiled at every start, since nothing can be written."""
    source = getattr(module, "__file__", None) or ""
    cached = getattr(module, "__cached__", None) or ""
    return source.startswith("/opt/imghost/") and source.endswith(".py") and not Path(cached).exists()


def codec_faults() -> Iterator[str]:
    """What imaging's own check of libvips and its codecs says, as it does at every start."""
    from imghost_imaging.formats import FORMATS
    from imghost_imaging.render import engine

    try:
        engine.start(FORMATS)
    except engine.UnsafeLibvips as error:
        yield str(error)


def main() -> None:
    """Print what is in the image; exit with all its faults."""
    found = list(faults(sys.argv[1]))
    if found:
        sys.exit("\n".join(found))
    count = len(list(distributions()))
    sys.stdout.write(f"user {os.getuid()}, Python {sys.version.split()[0]}, {count} distributions\n")


if __name__ == "__main__":
    main()
