"""Forms as browsers, libraries and old clients write them."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imghost_api.images.upload.errors import InvalidMultipart
from imghost_api.images.upload.multipart import MAX_FIELD_BYTES, UploadParser
from imghost_api.images.upload.part_headers import read_file_name

FORM = "multipart/form-data; boundary=b"
FILE = b"\xff\xd8 bytes \r\n--bx of the file"


def parse(body: bytes, *, step: int = 0) -> tuple[bytes, str | None]:
    """Bytes and name of the file in a form that arrives `step` bytes at a time, or in one piece."""
    received = bytearray()
    parser = UploadParser(FORM, limit=10_000, write=received.extend)
    for start in range(0, len(body), step or len(body)):
        parser.feed(body[start : start + (step or len(body))])
    parser.finish()
    return bytes(received), parser.file_name


def form(disposition: str = 'filename="a.jpg"', headers: bytes = b"", body: bytes = FILE) -> bytes:
    start = b'--b\r\nContent-Disposition: form-data; name="file"; ' + disposition.encode("utf-8", "surrogateescape")
    return start + b"\r\n" + headers + b"\r\n" + body + b"\r\n--b--\r\n"


@pytest.mark.parametrize("step", [0, 1, 3, 7])
@pytest.mark.parametrize(
    "preamble", [b"", b"\r\n", b"This is a preamble\r\n", b"several\r\nlines --b and\r\n--\r\n", b"\r\n\r\n"]
)
def test_a_preamble_is_ignored(preamble: bytes, step: int) -> None:
    """What precedes the first boundary is no part of the form, however it arrives."""
    assert parse(preamble + form(), step=step) == (FILE, "a.jpg")


@pytest.mark.parametrize("step", [0, 1, 3, 7])
def test_what_follows_the_last_boundary_is_refused(step: int) -> None:
    """However it arrives, and also after a preamble; empty lines are accepted."""
    with pytest.raises(InvalidMultipart, match="after its last boundary"):
        parse(b"preamble\r\n" + form() + b"epilogue", step=step)
    assert parse(form() + b"\r\n\r\n", step=step) == (FILE, "a.jpg")


def test_a_preamble_is_bounded() -> None:
    """A body without a boundary is refused before it is buffered without a limit."""
    with pytest.raises(InvalidMultipart, match="no boundary within its first"):
        parse(b"x" * (MAX_FIELD_BYTES + 1))


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        ('filename="a%22b.jpg"', 'a"b.jpg'),
        ('filename="a%0D%0Ab.jpg"', "a\r\nb.jpg"),
        ('filename="100%25.jpg"', "100%25.jpg"),
        (r'filename="a\"b.jpg"', 'a"b.jpg'),
        ("filename=\"a; filename*=UTF-8''b.jpg\"", "a; filename*=UTF-8''b.jpg"),
        ("filename=\"?.jpg\"; filename*=UTF-8''F%C3%BC%C3%9Fe%20%F0%9F%90%88.jpg", "F\u00fc\u00dfe \U0001f408.jpg"),
        ("filename*=utf-8'de'%e2%82%ac.jpg", "\u20ac.jpg"),
        ("filename*=ISO-8859-1''%A3.jpg", "\u00a3.jpg"),
        ("filename*=UTF-8''%FF%FE.jpg", "\ufffd\ufffd.jpg"),
        ("filename*=koi8-r''x.jpg; filename=a.jpg", "a.jpg"),
        ('filename="\udcfc.jpg"', "\ufffd.jpg"),
        ("filename=a.jpg", "a.jpg"),
        ("x=y", ""),
    ],
)
def test_file_names_are_read_in_every_form(disposition: str, name: str) -> None:
    """Quoted, with the escapes of browsers, or encoded by RFC 8187, which is preferred."""
    assert parse(form(disposition))[1] == name


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_any_disposition_has_a_name(text: str) -> None:
    """Whatever a client writes, reading the name neither fails nor takes long."""
    assert isinstance(read_file_name(b"form-data; " + text.encode()), str)
    assert isinstance(read_file_name(b"form-data; filename*=" + text.encode()), str)


@pytest.mark.parametrize("encoding", [b"base64", b"Quoted-Printable", b"x-gzip"])
def test_a_transfer_encoding_is_refused_by_name(encoding: bytes) -> None:
    """Form data has none (RFC 7578, 4.7): the error says so, instead of that the file is no image."""
    header = b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    with pytest.raises(InvalidMultipart, match="without that encoding"):
        parse(form(headers=header, body=base64.encodebytes(FILE)))


@pytest.mark.parametrize("encoding", [b"binary", b"8bit", b"7BIT", b" binary "])
def test_a_transfer_encoding_that_changes_nothing_is_accepted(encoding: bytes) -> None:
    """Common libraries name the encoding of bytes that are sent as they are."""
    assert parse(form(headers=b"Content-Transfer-Encoding: " + encoding + b"\r\n"))[0] == FILE
