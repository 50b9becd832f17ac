"""The repository keeps its own rules: names not to be taken, tests that say what they prove, files for everyone."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

# "000-R12", also as a list or range that says the document once: "000-R1, R2 and R5", "000-L1 to L3".
ROWS = re.compile(r"\b(\d{3})-([A-Z]\d+(?:(?:, | and | to )[A-Z]\d+)*)\b")
TEST = re.compile(r"tests/[\w/.-]+\.py(?:::\w+)+")


def _rows(text: str) -> set[str]:
    """Every requirement row that a text names, ranges written out."""
    found = set()
    for document, names in ROWS.findall(text):
        for part in re.split(r", | and ", names):
            first, *last = re.split(r" to ", part)
            numbers = range(int(first[1:]), int((last or [first])[0][1:]) + 1)
            found |= {f"{document}-{first[0]}{number}" for number in numbers}
    return found


def _tests(body: list[ast.stmt], prefix: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    """Every test function with its pytest name."""
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _tests(node.body, f"{prefix}::{node.name}")
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield f"{prefix}::{node.name}", node


def _docstrings() -> dict[str, str]:
    """What each test says it proves, by pytest name."""
    return {
        name: " ".join((ast.get_docstring(function) or "").split())
        for path in TESTS
        for name, function in _tests(ast.parse(path.read_text()).body, str(path.relative_to(ROOT)))
    }


def _table() -> dict[str, list[str]]:
    """The rows of docs/requirements.md: id → the tests that prove it, none while it is not proved."""
    lines = (ROOT / "docs" / "requirements.md").read_text().splitlines()
    rows = ((line, _rows(line.split("|")[1])) for line in lines if line.startswith("|"))
    return {row: TEST.findall(line) for line, ids in rows for row in ids}


def test_the_folder_operator_does_not_hide_the_standard_library() -> None:
    """`operator/` is also a module of Python: from the root of the repository Python's own must win."""
    argv = [sys.executable, "-c", "import collections, operator; print(operator.itemgetter(0)('it works'))"]
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True).stdout == "i\n"


def test_nothing_makes_operator_a_package() -> None:
    """An `__init__.py`, a test or a conftest below `operator/` would make it shadow the standard library's module."""
    folder = ROOT / "operator"
    trap = [folder / "__init__.py", folder / "__main__.py", folder / "conftest.py", *folder.rglob("*test*.py")]
    assert [path for path in trap if path.exists()] == []
    assert list(folder.glob("*.py")) == []


def test_test_folders_are_no_packages() -> None:
    """Tests are imported by path, so files of one name may be in several folders; an `__init__.py` would end that."""
    assert list((ROOT / "tests").rglob("__init__.py")) == []


def test_no_lock_file_holds_an_address() -> None:
    """Everyone installs from the package index they use; a file that names one works at one place only."""
    locks = [*(ROOT / "requirements").glob("*.txt"), *(ROOT / "tools" / "imghost_dev" / "kube-programs").glob("go.*")]
    assert {"dev.txt", "go.sum"} <= {path.name for path in locks}
    assert [path.name for path in locks if "://" in path.read_text()] == []


def test_every_test_says_what_it_proves() -> None:
    """A test without a docstring leaves its reader guessing which behaviour broke."""
    assert [name for name, text in _docstrings().items() if not text] == []


def test_no_test_is_switched_off_or_sleeps() -> None:
    """Skipped tests prove nothing in silence; fixed sleeps are too long on a fast machine, too short on a slow one."""
    refused = re.compile(r"pytest\.(skip|importorskip|xfail)|pytest\.mark\.(skip|skipif|xfail)|time\.sleep")
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and refused.fullmatch(ast.unparse(node))
    ]
    assert found == []


def test_every_proved_requirement_points_at_a_test_that_names_it() -> None:
    """docs/requirements.md is true: the tests it names exist and say that they prove the row."""
    docstrings = _docstrings()
    wrong = [
        f"{row}: {test} {'does not name it' if test in docstrings else 'does not exist'}"
        for row, tests in _table().items()
        for test in tests
        if row not in _rows(docstrings.get(test, ""))
    ]
    assert wrong == []


def test_every_requirement_that_a_test_proves_is_in_the_table() -> None:
    """docs/requirements.md is complete: a row that some test names is listed with a test."""
    proved = {row for text in _docstrings().values() for row in _rows(text)}
    listed = {row for row, tests in _table().items() if tests}
    assert sorted(proved - listed) == []


def test_rows_are_read_as_people_write_them() -> None:
    """Lists and ranges name each of their rows."""
    assert _rows("quota (000-R1, R2 and R5), 000-L1 to L3") == {
        "000-R1", "000-R2", "000-R5", "000-L1", "000-L2", "000-L3",
    }  # fmt: skip
    assert _rows("no row, RFC-9457 and 2024-01-02") == set()
