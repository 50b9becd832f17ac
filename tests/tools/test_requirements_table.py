"""The page of requirements and the markers that prove its rows."""

import pytest

from imghost_dev import requirements_table as table

LIST = """
[[section]]
title = "One"
rows = [
  { id = "000-R1", kind = "route", text = "GET /a|b", here = "as named" },
  { id = "000-R2", kind = "route", text = "GET /c", here = "as named" },
  { id = "000-R3", kind = "route", text = "GET /d", here = "another product", applies = false },
]
"""
TESTS = """
@pytest.mark.requirement("000-R1", "000-R2")
@pytest.mark.parametrize("x", [1])
async def test_a(x): ...

class TestMore:
    @pytest.mark.requirement("000-R1")
    def test_b(self): ...
    def test_c(self): "Names 000-R2 only in words."
"""


def test_markers_are_read_without_running_tests() -> None:
    """Functions and methods count with every id of their markers; a docstring that names a row proves nothing."""
    assert list(table.find_proofs(TESTS, "tests/test_x.py")) == [
        table.Proof("000-R1", "tests/test_x.py::test_a"),
        table.Proof("000-R2", "tests/test_x.py::test_a"),
        table.Proof("000-R1", "tests/test_x.py::TestMore::test_b"),
    ]


def test_the_page_shows_each_row_with_its_state() -> None:
    """Proved rows name their tests, the others are not yet proved or do not apply; the sum is of those that apply."""
    page = table.render(table.read_rows(LIST), [table.Proof("000-R1", "t.py::b"), table.Proof("000-R1", "t.py::a")])
    assert "\n1 of 2 requirements are proved" in page
    assert "\n| 000-R1 | GET /a&#124;b | route | as named | `t.py::a`<br>`t.py::b` |\n" in page
    assert "\n| 000-R2 | GET /c | route | as named | not yet |\n" in page
    assert "\n| 000-R3 | GET /d | route | another product | does not apply |\n" in page


@pytest.mark.parametrize(
    ("row", "fault"),
    [("000-R9", "there is no requirement 000-R9"), ("000-R3", "000-R3 is listed as one that does not apply")],
)
def test_a_marker_names_a_row_that_applies(row: str, fault: str) -> None:
    """A misspelt id, or one that was put aside, is reported with the test that carries it."""
    sections, proofs = table.read_rows(LIST), [table.Proof(row, "t.py::a")]
    (found,) = table.find_faults(sections, proofs, table.render(sections, proofs))
    assert found.startswith("t.py::a: ")
    assert fault in found


def test_a_page_that_is_not_current_is_reported() -> None:
    """Whether a marker was added or removed, the message says how to make the page again."""
    sections = table.read_rows(LIST)
    stale = table.render(sections, [])
    assert table.find_faults(sections, [], stale) == []
    (found,) = table.find_faults(sections, [table.Proof("000-R1", "t.py::a")], stale)
    assert "make requirements-table" in found


def test_an_id_is_in_the_list_only_once() -> None:
    """Two rows of one id would both be ticked by one test."""
    with pytest.raises(ValueError, match="twice: 000-R2"):
        table.read_rows(LIST.replace("000-R1", "000-R2"))
