"""docs/requirements.md, made from docs/requirements.toml and from the tests that prove its rows.

A test proves a row when it carries `@pytest.mark.requirement("ID")`. Tests are read as source, not run. A row counts
when it is proved in full, so leave the marker out while a part is missing.

`python -m imghost_dev requirements-table write` makes the page, `check` says what is wrong with it or with a marker.
"""

import ast
import sys
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
ROWS = ROOT / "docs" / "requirements.toml"
PAGE = ROOT / "docs" / "requirements.md"
MARKER = "pytest.mark.requirement"


class Requirement(NamedTuple):
    """One row of the list."""

    id: str
    kind: str
    text: str
    here: str
    applies: bool = True


class Proof(NamedTuple):
    """A test and one row that it says it proves."""

    row: str
    test: str


Sections = Mapping[str, Sequence[Requirement]]


def read_rows(text: str) -> Sections:
    """The list by section. Raises ValueError when an id is there twice."""
    sections = {
        section["title"]: [Requirement(**row) for row in section["rows"]] for section in tomllib.loads(text)["section"]
    }
    ids = [row.id for rows in sections.values() for row in rows]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        raise ValueError(f"these ids are in the list twice: {', '.join(twice)}")
    return sections


def find_proofs(source: str, path: str) -> Iterator[Proof]:
    """Every marker of one file of tests, with the test's pytest name."""
    yield from _find(ast.parse(source).body, path)


def _find(body: Sequence[ast.stmt], prefix: str) -> Iterator[Proof]:
    for node in body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        name = f"{prefix}::{node.name}"
        for decorator in node.decorator_list:
            if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == MARKER:
                yield from (Proof(ast.literal_eval(row), name) for row in decorator.args)
        if isinstance(node, ast.ClassDef):
            yield from _find(node.body, name)


def find_all_proofs() -> list[Proof]:
    """The markers of all tests of this repository."""
    paths = sorted((ROOT / "tests").rglob("test_*.py"))
    return [proof for path in paths for proof in find_proofs(path.read_text(), str(path.relative_to(ROOT)))]


def render(sections: Sections, proofs: Sequence[Proof]) -> str:
    """The page."""
    tests: dict[str, list[str]] = defaultdict(list)
    for proof in proofs:
        tests[proof.row].append(proof.test)
    rows = [row for section in sections.values() for row in section]
    proved = sum(row.id in tests for row in rows)
    applying = sum(row.applies for row in rows)
    lines = [
        "<!-- Made by `make requirements-table` from requirements.toml and the markers of the tests. Do not edit. -->",
        "# Requirements",
        "",
        f"{proved} of {applying} requirements are proved by a test. A row counts when a test proves all of it:",
        "what is built in part, or built and not tested, is `not yet`.",
    ]
    for title, section in sections.items():
        lines += ["", f"## {title}", "", "| id | what | kind | here | proved by |", "|---|---|---|---|---|"]
        lines += [_line(row, tests[row.id]) for row in section]
    return "\n".join(lines) + "\n"


def _line(row: Requirement, tests: Sequence[str]) -> str:
    proof = "<br>".join(f"`{test}`" for test in sorted(tests)) or ("not yet" if row.applies else "does not apply")
    cells = (row.id, row.text, row.kind, row.here, proof)
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def find_faults(sections: Sections, proofs: Sequence[Proof], page: str) -> list[str]:
    """The differences between the page, the list and the tests, one line each."""
    rows = {row.id: row for section in sections.values() for row in section}
    faults = []
    for proof in proofs:
        if proof.row not in rows:
            faults.append(f"{proof.test}: there is no requirement {proof.row}; docs/requirements.toml has the ids")
        elif not rows[proof.row].applies:
            faults.append(f"{proof.test}: requirement {proof.row} is listed as one that does not apply")
    if page != render(sections, proofs):
        faults.append("docs/requirements.md is not what the markers say; run `make requirements-table`")
    return faults


def main(arguments: Sequence[str]) -> None:
    """Write the page, or check it."""
    sections, proofs = read_rows(ROWS.read_text()), find_all_proofs()
    if arguments == ["write"]:
        PAGE.write_text(render(sections, proofs))
    elif arguments == ["check"]:
        if faults := find_faults(sections, proofs, PAGE.read_text()):
            sys.exit("\n".join(faults))
    else:
        sys.exit("usage: python -m imghost_dev requirements-table write|check")
