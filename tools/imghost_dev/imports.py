"""Count the imports between the rooms of a package: its direct subpackages and modules.

`python -m imghost_dev imports services/api/imghost_api` prints how many there are, which rooms import each other, and
how many imports run back up in the best possible order of the rooms: 0 if and only if they can be layered.
"""

import ast
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import combinations, pairwise
from pathlib import Path

Edges = Counter[tuple[str, str]]


def main(arguments: Sequence[str]) -> int:
    """Print the figures of each package; the exit code is 1 when one cannot be layered."""
    reports = [measure(Path(argument)) for argument in arguments or ["services/api/imghost_api"]]
    for report in reports:
        sys.stdout.write(f"{report}\n")
    return 1 if any(report.upward for report in reports) else 0


@dataclass(frozen=True)
class Report:
    """The figures of one package."""

    package: str
    rooms: int
    imports: int
    upward: int
    mutual: list[str]

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.package}: {self.rooms} rooms, {self.imports} imports between them, {self.upward} run back up, "
            f"{len(self.mutual)} pairs import each other {' '.join(self.mutual)}"
        ).rstrip()


def measure(package: Path) -> Report:
    """The figures of the package in this folder."""
    edges = count_imports(package)
    rooms = sorted({room for edge in edges for room in edge})
    mutual = [f"{one}-{other}" for one, other in combinations(rooms, 2) if edges[one, other] and edges[other, one]]
    return Report(package.name, len(rooms), edges.total(), count_upward(edges), mutual)


def count_imports(package: Path) -> Edges:
    """How many import statements lead from one room to another."""
    edges: Edges = Counter()
    for file in package.rglob("*.py"):
        room = file.relative_to(package).with_suffix("").parts[0]
        for target in imported_modules(file):
            name, _, rest = target.partition(".")
            imported = rest.partition(".")[0]
            if name == package.name and imported not in {"", room}:
                edges[room, imported] += 1
    return edges


def imported_modules(file: Path) -> Iterator[str]:
    """The modules that a file imports; `from package import room` counts as `package.room`."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from {node.module if "." in node.module else f"{node.module}.{alias.name}" for alias in node.names}


def count_upward(edges: Edges) -> int:
    """The fewest imports that run back up, in the best order of the rooms."""
    return next(number for number in range(edges.total() + 1) if can_layer(edges, removing=number))


def can_layer(edges: Edges, *, removing: int) -> bool:
    """Whether no cycle is left after removing at most N imports; of every cycle one edge has to be removed."""
    cycle = find_cycle(edges)
    return not cycle or any(
        edges[edge] <= removing and can_layer(_without(edges, edge), removing=removing - edges[edge]) for edge in cycle
    )


def find_cycle(edges: Edges) -> list[tuple[str, str]]:
    """The edges of one cycle; empty when there is none."""
    graph: dict[str, set[str]] = {}
    for room, imported in edges:
        graph.setdefault(imported, set()).add(room)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        rooms: list[str] = error.args[1]
        return list(pairwise(rooms))
    return []


def _without(edges: Edges, removed: tuple[str, str]) -> Edges:
    return Counter({edge: number for edge, number in edges.items() if edge != removed})
