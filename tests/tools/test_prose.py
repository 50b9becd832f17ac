"""The lint for words that the glossary replaces."""

from pathlib import Path

import pytest

from imghost_dev import prose


def _found(text: str, path: str = "a.py") -> list[tuple[int, str]]:
    return [(finding.line, finding.word) for finding in prose.check(Path(path), text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"""A file that is gone."""\n', [(1, "gone")]),
        ("x = 1  # nobody reads it\n", [(1, "nobody")]),
        ("# both run at\n# once\n", [(1, "at once")]),
        ('raise E("All " "at "\n        "once")\n', [(1, "at once")]),
        ('log.info(f"{name} was told")\n', [(1, "told")]),
        ("def test_the_quota_tells_limits(): ...\n", [(1, "tells")]),
        ("picture = open_picture()\n", [(1, "open_picture"), (1, "picture")]),
    ],
)
def test_words_are_found_in_comments_strings_and_test_names(text: str, found: list[tuple[int, str]]) -> None:
    """Comments, docstrings, messages and names of tests are checked, phrases across lines too."""
    assert _found(text) == found


@pytest.mark.parametrize(
    "text",
    ["edit = 1\n", "x.besides(together)\n", "# 410 Gone: the list has expired\n", "# untold, besides, foregone\n"],
)
def test_code_and_terms_of_protocols_are_left_alone(text: str) -> None:
    """A status of HTTP keeps its name, and parts of longer words do not count."""
    assert _found(text) == []


@pytest.mark.parametrize("name", ["it", "told", "_has_gone", "judge", "pictures", "said"])
def test_names_in_code_are_checked(name: str) -> None:
    """Variables, parameters and functions are named in plain terms as well, with a noun for each item of a loop."""
    assert _found(f"[{name} for {name} in range(3)]\n") == [(1, name)] * 2


def test_documents_are_checked_as_they_stand() -> None:
    """In Markdown, charts and SQL every line is prose; a finding says where it is and what to write instead."""
    (finding,) = prose.check(Path("docs/a.md"), "One\n\nWhoever uploads\n")
    assert str(finding) == "docs/a.md:3: Whoever — the client that, the owner of"


def test_a_file_is_not_named_for_it_either() -> None:
    """A module called picture.py is found though nothing in it is wrong."""
    assert _found("x = 1\n", "tests/test_first_picture.py") == [(1, "test_first_picture.py")]
