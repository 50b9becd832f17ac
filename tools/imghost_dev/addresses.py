"""Reject committed files that only work on one machine: addresses of package indexes, paths of this machine.

Everyone installs from their own index, so no file may name one; a lock file may hold no address at all.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

INDEX = re.compile(r"\b(pypi|pythonhosted|npmjs|yarnpkg|crates)\.(org|com|io)\b|\b(proxy|sum|index)\.golang\.org\b")
LOCKED = re.compile(r"^requirements/|(^|/)(go\.(mod|sum)|uv\.lock|package-lock\.json)$")
ADDRESS = re.compile(r"https?://")


def committed_files() -> list[Path]:
    """Every file that git tracks, or would track."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], capture_output=True, check=True
    )
    paths = (Path(name.decode()) for name in listing.stdout.split(b"\0") if name)
    return [path for path in paths if path.is_file()]


def faults(path: Path, text: str, places: list[str]) -> Iterator[str]:
    """The findings of one file, one line each; `places` are folders of the machine that no text may name."""
    for number, line in enumerate(text.splitlines(), 1):
        if INDEX.search(line):
            yield f"{path}:{number}: names a package index"
        elif LOCKED.search(str(path)) and ADDRESS.search(line):
            yield f"{path}:{number}: a lock file holds an address"
        elif any(place in line for place in places):
            yield f"{path}:{number}: names a folder of this machine"


def main(_: Sequence[str]) -> None:
    """Print every fault and fail if there is one."""
    places = [f"{folder}/" for folder in {Path.cwd(), Path.home()} if len(folder.parts) > 1]
    found = [
        fault
        for path in committed_files()
        if b"\0" not in (content := path.read_bytes())
        for fault in faults(path, content.decode(errors="replace"), places)
    ]
    if found:
        sys.exit("\n".join(found))
