"""Counting the imports between the rooms of a package."""

from pathlib import Path

import pytest

from imghost_dev.imports import main, measure


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """`top` imports `middle` twice and `middle` imports `bottom`: layered."""
    root = tmp_path / "sample"
    for name, text in {
        "__init__.py": "",
        "top/__init__.py": "from sample.middle import one\n",
        "top/routes.py": "from sample.middle.one import call\nfrom sample.top import schemas\nimport json\n",
        "middle/one.py": "from sample import bottom\n",
        "bottom.py": "",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_layered_package_has_no_import_that_runs_back_up(package: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Imports within a room and of other packages do not count, and the exit code is 0."""
    assert main([str(package)]) == 0
    assert capsys.readouterr().out == (
        "sample: 3 rooms, 3 imports between them, 0 run back up, 0 pairs import each other\n"
    )


def test_the_fewest_imports_that_run_back_up_are_counted(package: Path) -> None:
    """Of a pair of rooms with two imports one way and one the other, one runs back up."""
    (package / "middle" / "two.py").write_text("from sample.top.routes import router\n")
    report = measure(package)
    assert (report.upward, report.mutual) == (1, ["middle-top"])


def test_a_cycle_of_three_rooms_is_found(package: Path) -> None:
    """A cycle without a mutual pair has an import that runs back up too, and the exit code is 1."""
    (package / "bottom.py").write_text("import sample.top.routes\n")
    report = measure(package)
    assert (report.upward, report.mutual) == (1, [])
    assert main([str(package)]) == 1
