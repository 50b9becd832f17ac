"""Names that people chose, in a header."""

import pytest
from aiohttp.multipart import content_disposition_filename, parse_content_disposition
from hypothesis import example, given
from hypothesis import strategies as st

from imghost_core.disposition import attachment, safe_name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("cat.jpg", "cat.jpg"),
        ("cat.JPEG", "cat.JPEG"),
        ("cat", "cat.jpg"),
        ("cat.png", "cat.png.jpg"),
        ("evil.html", "evil.html.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\images\\cat.jpg", "cat.jpg"),
        ('a"b;c.jpg', "a_b_c.jpg"),
        ("a\r\nSet-Cookie: b=c.jpg", "aSet-Cookie_ b=c.jpg"),
        ("cat\u202egpj.exe", "catgpj.exe.jpg"),
        ("", "image.jpg"),
        (".jpg", "image.jpg"),
        ("...", "image.jpg"),
        ("x" * 500 + ".jpg", "x" * 120 + ".jpg"),
        ("cat.v2.jpg", "cat.v2.jpg"),
        (" .cat. .jpg", "cat.jpg"),
    ],
)
def test_file_names_are_made_safe(name: str, expected: str) -> None:
    """No folder, no control or direction character, and the extension of the actual format."""
    assert safe_name(name, "jpg") == expected


def test_a_format_without_other_names_keeps_its_extension() -> None:
    """Only JPEG has several extensions; another format accepts its own alone."""
    assert safe_name("cat.PNG", "png") == "cat.PNG"
    assert safe_name("cat.jpg", "png") == "cat.jpg.png"


@pytest.mark.parametrize(
    ("name", "header"),
    [
        ("cat.jpg", 'attachment; filename="cat.jpg"'),
        ("Käse & Co.jpg", "attachment; filename=\"K_se & Co.jpg\"; filename*=UTF-8''K%C3%A4se%20&%20Co.jpg"),
    ],
)
def test_old_clients_get_an_ascii_name(name: str, header: str) -> None:
    """The plain parameter replaces what is not ASCII; a second one has the name itself, and only then it is sent."""
    assert attachment(name, "jpg") == header


@given(st.text(st.characters(), max_size=300))
@example("\ud800 lone surrogate.jpg")
@example("NUL\0 and \x7f and \x85.jpg")
@example("Ferien \N{SNOWMAN} ½.jpg")
def test_any_name_gives_a_valid_header(name: str) -> None:
    """Any text at all yields one printable ASCII line that a strict parser reads back as the safe name."""
    header = attachment(name, "jpg")
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    kind, parameters = parse_content_disposition(header)
    assert kind == "attachment"
    assert set(parameters) <= {"filename", "filename*"}
    assert content_disposition_filename(parameters) == safe_name(name, "jpg")
