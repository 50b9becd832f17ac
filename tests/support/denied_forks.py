"""A fork server whose kernel denies it some forks."""

import sys
from pathlib import Path

_PROGRAM = """
import os, runpy
fork, calls = os.fork, []

def deny():
    calls.append(1)
    if len(calls) in {denied}:
        raise BlockingIOError(11, "no process")
    return fork()

os.fork = deny
runpy.run_path({program!r}, run_name="__main__")
"""


def command(program: str, denied: range, folder: Path) -> list[str]:
    """What runs `program`, a path, with the forks of these numbers denied; the first one has number 1."""
    path = folder / "denied.py"
    path.write_text(_PROGRAM.format(denied=set(denied), program=program))
    return [sys.executable, "-I", str(path)]
