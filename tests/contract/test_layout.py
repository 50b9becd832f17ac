"""The repository keeps its own rules: names not to be taken, tests that say what they prove, files for everyone."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from imghost_dev import requirements_table as table

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))

ROW = re.compile(r"\b\d{3}-[A-Z]?\d+\b")


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


def test_only_one_module_of_the_api_opens_transactions_across_workspaces() -> None:
    """Only `db.system`, whose importers a contract names, and the migrations set what lifts row-level security."""
    setting = re.compile(r"set_config\(\s*'imghost\.all_workspaces'")
    found = {path.name for path in (ROOT / "services").rglob("*.py") if setting.search(path.read_text())}
    assert found == {"system.py", "migrate.py"}


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


def test_requirements_are_named_by_markers() -> None:
    """An id in a docstring would look like a proof and count for nothing in docs/requirements.md."""
    assert [name for name, text in _docstrings().items() if ROW.search(text)] == []


def test_the_page_of_requirements_is_true() -> None:
    """Every marker names a row of docs/requirements.toml that applies, and the page shows what the markers say."""
    sections, proofs = table.read_rows(table.ROWS.read_text()), table.find_all_proofs()
    assert table.find_faults(sections, proofs, table.PAGE.read_text()) == []
    assert len(proofs) > len({proof.row for proof in proofs}) > 0
