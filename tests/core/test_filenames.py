"""File names given by users."""

import pytest

from imghost_core.filenames import MAX_LENGTH, clean_filename


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("cat.jpg", "cat.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\cat.png", "cat.png"),
        ("a\u202egpj.exe", "agpj.exe"),
        ("line\nbreak.gif", "linebreak.gif"),
        ("\ud800broken.png", "broken.png"),
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467.jpg", "\U0001f468\u200d\U0001f469\u200d\U0001f467.jpg"),
        ("\u2764\ufe0f\u200d\U0001f525.jpg", "\u2764\ufe0f\u200d\U0001f525.jpg"),
        (
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.jpg",
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645.jpg",
        ),
        ("a\u200db\u200c.jp\u200dg", "ab.jpg"),
        ("\u200d\U0001f468\u200d\u200d\U0001f469\u200d.jpg", "\U0001f468\U0001f469.jpg"),
        ("X.X", "X.X"),
        ("...", "upload"),
        ("", "upload"),
    ],
)
def test_a_file_name_is_safe_to_show(given: str, shown: str) -> None:
    """Folders, control and direction characters are removed; an empty name gets the fallback."""
    assert clean_filename(given) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("x" * 255, "x" * 255),
        ("x" * 256, "x" * 255),
        ("x" * 251 + ".jpg", "x" * 251 + ".jpg"),
        ("x" * 300 + ".jpeg", "x" * 250 + ".jpeg"),
        ("a.b" + "x" * 300 + ".jpg", "a.b" + "x" * 248 + ".jpg"),
        ("x" * 300 + "." + "e" * 10, "x" * 244 + "." + "e" * 10),
        ("x" * 300 + "." + "e" * 11, "x" * 255),
    ],
)
def test_a_long_name_keeps_its_extension(given: str, shown: str) -> None:
    """A name beyond the limit is shortened before its last extension, unless that is too long to be one."""
    assert clean_filename(given) == shown
    assert len(shown) <= MAX_LENGTH
