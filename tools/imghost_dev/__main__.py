"""`python -m imghost_dev VERB [ARGUMENT...]`: what the Makefile calls."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

from imghost_dev.builders import BuildFailed
from imghost_dev.cluster.provider import ClusterError
from imghost_dev.debian import PackagesMissing
from imghost_dev.program_cache import ProgramMissing
from imghost_local.errors import UserError

EXPECTED = (BuildFailed, ClusterError, PackagesMissing, ProgramMissing, UserError)
"""Failures with a complete message: reported without a traceback."""


class Verb(NamedTuple):
    """One tool: the module whose `main(arguments)` does the work, and a line for the help."""

    module: str
    summary: str


VERBS = {
    "addresses": Verb("addresses", "find committed addresses of package indexes and paths of this machine"),
    "bench": Verb("bench", "measure a tenant on this machine"),
    "bench-attacks": Verb("bench_attacks.main", "measure what a normal client notices of attacks"),
    "bench-events": Verb("bench_events", "measure what publishing and delivering events costs"),
    "bench-imaging": Verb("bench_imaging", "measure what the sandbox of the decoders costs and holds"),
    "bench-stores": Verb("bench_stores.main", "compare two clients of an S3: what they cost, how they meet faults"),
    "chart": Verb("chart", "write or check the files that are made from the chart and for it"),
    "cluster": Verb("cluster.main", "start, fill, inspect and remove a real Kubernetes cluster"),
    "corpus": Verb("corpus.main", "render the test images of public packages, and compare with another decoder"),
    "e2e": Verb("e2e", "run the end-to-end scenarios in that cluster"),
    "images": Verb("images", "build the container images, try each and print its size"),
    "imports": Verb("imports", "count the imports between the rooms of a package, and those that run back up"),
    "mutants": Verb("mutants", "count small changes of the code that no test notices"),
    "permissions": Verb("permissions", "write or check docs/permissions.md"),
    "problems": Verb("problems", "write or check docs/problems.md"),
    "programs": Verb("programs", "find or build the programs that tests run against"),
    "prose": Verb("prose", "refuse the words that docs/glossary.md replaces"),
    "requirements": Verb("requirements", "write or check the pinned requirements"),
    "requirements-table": Verb("requirements_table", "make or check docs/requirements.md from the markers of tests"),
    "slowest": Verb("slowest", "print the slowest tests of several reports"),
    "sbom": Verb("sbom", "print what is installed here as a bill of materials"),
    "unused": Verb("unused", "find code that nothing uses"),
}


def main(argv: Sequence[str]) -> int:
    """Run one verb; returns the exit code."""
    if not argv or argv[0] not in VERBS:
        lines = "\n".join(f"  {name:14}{verb.summary}" for name, verb in VERBS.items())
        sys.stderr.write(f"usage: python -m imghost_dev VERB [ARGUMENT...]\n\n{lines}\n")
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    name, *arguments = argv
    run: Callable[[Sequence[str]], int | None] = import_module(f"imghost_dev.{VERBS[name].module}").main
    try:
        return run(arguments) or 0
    except EXPECTED as error:
        sys.stderr.write(f"error: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
