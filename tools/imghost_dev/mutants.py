"""Change the code in small ways, run tests on each change, and count the changes that no test noticed.

mutmut makes the changes and runs the tests ([ADR 0020](../../docs/adr/0020-mutation-runs-by-mutmut.md)), in a copy of
the sources: the checkout stays as it is. A sample is random, and the same for the same seed.
"""

import argparse
import contextlib
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from mutmut.mutation.file_mutation import mutate_file_contents
from mutmut.utils.format_utils import get_mutant_name

from imghost_dev.mutant_areas import AREAS, Area
from imghost_local.errors import UserError

SOURCES: Final = ("services/core", "services/api", "services/imaging", "operator", "local", "cli", "tools")
LAST_LINES: Final = 40
SPINNER: Final = tuple("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
"""How lines of mutmut begin that it writes again and again while it waits."""
ALSO_READ: Final = ("tests", "docs", "crds", "manifests", "pyproject.toml")
# A mutant may leave connections open, and the tests that it breaks do: that is no finding.
PYTEST: Final = (
    *("-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-W", "ignore::ResourceWarning", "-W", "ignore::pytest.PytestUnraisableExceptionWarning"),
)
SINGLE: Final = (
    "process_isolation = forkserver",
    "use_git_change_detection = false",
    "timeout_constant = 20",  # seconds, which the start of services takes on a busy machine
    "timeout_multiplier = 2",
)
MISSED: Final = ("survived", "no tests")
"""No test noticed mutants of which mutmut says this."""


def main(arguments: Sequence[str]) -> int:
    """Try the mutants of the areas named, else of all; print the figures of every module, and the mutants missed."""
    options = _parse(arguments)
    if len(options.areas) == 1:
        _try_area(AREAS[options.areas[0]], options)
        return 0
    again = [f"--{name}={getattr(options, name)}" for name in ("sample", "seed", "jobs")]
    runs = (
        subprocess.run([sys.executable, "-m", "imghost_dev", "mutants", area, *again], check=False).returncode
        for area in options.areas or AREAS  # mutmut reads its settings once per process
    )
    return max(list(runs))


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="mutants", description="Count changes of the code that no test notices.")
    parser.add_argument(
        "areas", nargs="*", choices=[*AREAS, []], metavar="AREA", help=f"of {', '.join(AREAS)}; default: all"
    )
    parser.add_argument("--sample", type=int, default=100, help="most mutants to try of an area")
    parser.add_argument("--seed", type=int, default=1, help="of the sample")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tried in parallel")
    return parser.parse_args(arguments)


def _try_area(area: Area, options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="imghost-mutants-") as folder:
        copy = Path(folder)
        copy.chmod(0o755)  # PostgreSQL, which tests start, does not run as root
        _copy_sources(copy)
        (copy / "setup.cfg").write_text(settings(area))
        with contextlib.chdir(copy):
            chosen = sample(list(_list_mutants(area)), options.sample, options.seed)
            _run("run", f"--max-children={options.jobs}", *chosen)
            statuses = _read_statuses(chosen)
            sys.stdout.write(report(statuses))
            for name in (name for name, status in statuses.items() if status in MISSED):
                sys.stdout.write(_run("show", name))


def sample(names: Sequence[str], size: int, seed: int) -> list[str]:
    """At most `size` of the names, in their order; the same ones for the same seed."""
    chosen = set(random.Random(seed).sample(sorted(names), min(size, len(names))))
    return [name for name in names if name in chosen]


def settings(area: Area) -> str:
    """The settings of mutmut for an area, as it reads them from `setup.cfg`."""
    listed = {
        "source_paths": ["src"],
        "only_mutate": [f"src/{module}" for module in area.modules],
        "also_copy": ALSO_READ,
        "pytest_add_cli_args_test_selection": area.tests,
        "pytest_add_cli_args": [*PYTEST, "-m", area.markers, *(("-k", area.names) if area.names else ())],
    }
    lines = (f"{name} =\n  " + "\n  ".join(values) for name, values in listed.items())
    return "\n".join(("[mutmut]", *lines, *SINGLE, ""))


def _copy_sources(target: Path) -> None:
    """All packages side by side, because mutmut finds the names of modules by their paths below `src`."""
    without_caches = shutil.ignore_patterns("__pycache__")
    for folder in SOURCES:
        shutil.copytree(folder, target / "src", ignore=without_caches, dirs_exist_ok=True)
    for name in ALSO_READ:
        if Path(name).is_dir():
            shutil.copytree(name, target / name, ignore=without_caches)
        else:
            shutil.copy(name, target)


def _list_mutants(area: Area) -> Iterator[str]:
    """The names of all mutants of the area's modules, in the order of the code."""
    for pattern in area.modules:
        for path in sorted(Path("src").glob(pattern)):
            if path.suffix == ".py":
                names = mutate_file_contents(str(path), path.read_text()).mutant_names
                yield from (get_mutant_name(path, name) for name in names)


def _run(*arguments: str) -> str:
    """Run mutmut here; returns what it prints. Raises UserError with the end of the output of a run that failed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    argv = [sys.executable, "-m", "mutmut", *arguments]
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode:
        lines = (ended.stdout + ended.stderr).replace("\r", "\n").splitlines()
        output = [line for line in lines if not line.startswith(SPINNER)]
        raise UserError("\n".join(("mutmut failed; its output ends with", *output[-LAST_LINES:])))
    return ended.stdout


def _read_statuses(names: Sequence[str]) -> dict[str, str]:
    """The status of each of these mutants."""
    lines = (line.strip().rpartition(": ") for line in _run("results", "--all=true").splitlines())
    found = {name: status for name, _, status in lines}
    return {name: found[name] for name in names}


def report(statuses: Mapping[str, str]) -> str:
    """A line for every module: how many of its mutants were tried, and how many of them a test noticed.

    A mutant that ran out of time counts as noticed, and is named as such: on a busy machine it may have been slow only.
    """
    modules: defaultdict[str, list[str]] = defaultdict(list)
    for name, status in statuses.items():
        modules[name.rpartition(".")[0]].append(status)
    return "".join(_describe(module, found) for module, found in sorted(modules.items()))


def _describe(module: str, statuses: Sequence[str]) -> str:
    noticed = sum(status not in MISSED for status in statuses)
    slow = statuses.count("timeout")
    return f"| `{module}` | {noticed} of {len(statuses)}{f', {slow} out of time' if slow else ''} |\n"
