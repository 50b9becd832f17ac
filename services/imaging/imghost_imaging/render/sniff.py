"""Detects the format of a file from its bytes, and content of another format embedded in it. Pure, without libvips."""

import re
import struct

from imghost_imaging.formats import Format

_MAGIC: tuple[tuple[Format, re.Pattern[bytes]], ...] = (
    ("jpeg", re.compile(rb"\xff\xd8\xff")),
    ("png", re.compile(rb"\x89PNG\r\n\x1a\n")),
    ("gif", re.compile(rb"GIF8[79]a")),
    ("webp", re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL)),
    ("avif", re.compile(rb"....ftyp(?:avi[fs]|.{8,64}avif)", re.DOTALL)),
)
_UNSUPPORTED_FORMATS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("SVG or XML", re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|!--|!doctype svg|svg)", re.IGNORECASE)),
    ("HEIC", re.compile(rb"....ftyp(?:hei[cxms]|hev[cxms]|mif1|msf1)", re.DOTALL)),
    ("TIFF", re.compile(rb"II[*+]\0|MM\0[*+]")),
    ("BMP", re.compile(rb"BM.{12}[\x0c\x28\x38\x40\x6c\x7c]\0\0\0", re.DOTALL)),
    ("PDF", re.compile(rb".{0,1019}%PDF-", re.DOTALL)),
    ("Photoshop", re.compile(rb"8BPS")),
    ("JPEG XL", re.compile(rb"\xff\x0a|\0\0\0\x0cJXL ")),
    ("JPEG 2000", re.compile(rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51")),
    ("ICO", re.compile(rb"\0\0[\x01\x02]\0[\x01-\x20]\0")),
    ("ZIP", re.compile(rb"PK\x03\x04")),
    ("HTML", re.compile(rb"\s*<(?:!doctype html|html)", re.IGNORECASE)),
)


def identify(data: bytes) -> Format | None:
    """The format of `data` by its first bytes, or None when it is not supported."""
    return next((name for name, magic in _MAGIC if magic.match(data)), None)


def unsupported_format(data: bytes) -> str | None:
    """The name of a well-known format that is not supported, for the error message; None when unknown."""
    return next((name for name, magic in _UNSUPPORTED_FORMATS if magic.match(data)), None)


# Markup followed by printable characters. Compressed pixels contain any four bytes now and then: without the printable
# tail one valid 2 MB photograph in ten thousand would be rejected for a random "<svg ".
_MARKUP = re.compile(
    rb"<(?:(?:html|svg|body|iframe)[\s>/][\t\n\r\x20-\x7e]{8}|script[\s>/]|\?php\s|!doctype html)", re.IGNORECASE
)
_WINDOW, _LONGEST_MARKUP = 256 * 1024, 32
_ARCHIVE_STUB = b"__HALT_COMPILER();"  # makes any file a PHAR archive
_HEADER_COMMENT: dict[Format, int] = {
    "gif": 6,
    "jpeg": 4,
    "webp": 4,
}  # offset of the first bytes that an attacker can choose
_COMMENT_END = re.compile(rb"\*/[\t\n\r\x20-\x7e]{8}")
_GIF_ASSIGNMENT = re.compile(rb"GIF8[79]a=[\x20-\x7e]")


def embedded_content(data: bytes, kind: Format) -> str | None:
    """The other kind of file that `data` would also be opened as, or None.

    What phones append to or embed in a JPEG is accepted: a second JPEG with its MPF index, the MP4 of a motion photo,
    XMP packets, maker notes.
    """
    if b"%PDF-" in data[:1024]:  # where readers search for it (ISO 32000-1, annex H, note 13)
        return "a PDF"
    if _has_markup(data):
        return "a web page or a script"
    if _ARCHIVE_STUB in data:
        return "a PHP archive"
    if _is_script(data, kind):
        return "a script"
    if _has_archive(data):
        return "a ZIP archive"
    return None


def _has_markup(data: bytes) -> bool:
    """Search in windows: one search through 25 MiB of `<` would hold the GIL for a second."""
    starts = range(0, len(data), _WINDOW)
    return any(_MARKUP.search(data, start, start + _WINDOW + _LONGEST_MARKUP) for start in starts)


def _is_script(data: bytes, kind: Format) -> bool:
    """Whether the binary header is also the start of a JavaScript comment or assignment that is followed by code."""
    start = _HEADER_COMMENT.get(kind)
    if start is not None and data[start : start + 2] == b"/*":
        return _COMMENT_END.search(data, start) is not None
    return kind == "gif" and _GIF_ASSIGNMENT.match(data) is not None


_END_RECORD = b"PK\x05\x06"
_END_SIZE = 22
_MAX_COMMENT = 0xFFFF


def _has_archive(data: bytes) -> bool:
    """Whether a ZIP reader finds a directory: entries, then an end record whose comment fits into the file.

    Layout: APPNOTE.TXT 4.3.16. Readers accept any data in front, so the offset of the directory is not checked.
    """
    position = data.rfind(_END_RECORD)
    while position >= max(0, len(data) - _END_SIZE - _MAX_COMMENT):
        record = data[position : position + _END_SIZE]
        if len(record) == _END_SIZE:
            directory_size, _, comment = struct.unpack("<IIH", record[12:])
            fits = position + _END_SIZE + comment <= len(data)
            if fits and data.startswith(b"PK\x01\x02", max(0, position - directory_size)):
                return True
        position = data.rfind(_END_RECORD, 0, position)
    return False
