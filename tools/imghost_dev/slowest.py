"""The slowest tests of several runs of pytest, from the reports that these wrote with `--junitxml`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

COUNT = 10


class Duration(NamedTuple):
    """How long one test took, with what was set up for it."""

    seconds: float
    test: str


def read(report: Path) -> list[Duration]:
    """The tests of one report."""
    cases = ElementTree.parse(report).iter("testcase")
    return [Duration(float(case.get("time", 0)), f"{case.get('classname')}::{case.get('name')}") for case in cases]


def main(arguments: Sequence[str]) -> None:
    """Print the slowest tests of these reports, the slowest first; a report of a run that broke may be missing."""
    found = [duration for name in arguments if (path := Path(name)).exists() for duration in read(path)]
    sys.stdout.write(f"the {COUNT} slowest of {len(found)} tests:\n")
    for duration in sorted(found, reverse=True)[:COUNT]:
        sys.stdout.write(f"{duration.seconds:8.1f} s  {duration.test}\n")
