"""What a file is, told from its bytes alone, and whether another kind of file hides in it. Pure, without libvips."""

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
_STRANGERS: tuple[tuple[str, re.Pattern[bytes]], ...] = (
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
    """The format of `data` by its first bytes, or None when it is none that we can host."""
    return next((name for name, magic in _MAGIC if magic.match(data)), None)


def stranger(data: bytes) -> str | None:
    """The name of a well-known format we do not host, for a refusal that helps; None when unknown."""
    return next((name for name, magic in _STRANGERS if magic.match(data)), None)


# Markup with something after it to be markup of. Compressed pixels hold any four bytes now and then: without the
# printable tail one good 2 MB photograph in ten thousand would be refused for a chance "<svg ".
_MARKUP = re.compile(
    rb"<(?:(?:html|svg|body|iframe)[\s>/][\t\n\r\x20-\x7e]{8}|script[\s>/]|\?php\s|!doctype html)", re.IGNORECASE
)
_WINDOW, _LONGEST_MARKUP = 256 * 1024, 32
_ARCHIVE_STUB = b"__HALT_COMPILER();"  # what makes any file a PHAR archive
_HEADER_COMMENT: dict[Format, int] = {"gif": 6, "jpeg": 4, "webp": 4}  # the first bytes a script can choose
_COMMENT_END = re.compile(rb"\*/[\t\n\r\x20-\x7e]{8}")
_GIF_ASSIGNMENT = re.compile(rb"GIF8[79]a=[\x20-\x7e]")


def hidden(data: bytes, kind: Format) -> str | None:
    """What else `data` would pass for, or None.

    What phones put behind or into a JPEG is left alone: a second JPEG with its MPF index, the MP4 of a motion photo,
    XMP packets, maker's notes.
    """
    if b"%PDF-" in data[:1024]:  # where readers look for it (ISO 32000-1, annex H, note 13)
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
    """Look window by window: one search through 25 MiB of `<` would keep the interpreter's lock for a second."""
    starts = range(0, len(data), _WINDOW)
    return any(_MARKUP.search(data, start, start + _WINDOW + _LONGEST_MARKUP) for start in starts)


def _is_script(data: bytes, kind: Format) -> bool:
    """Whether the binary header reads as the start of a JavaScript comment or assignment that code follows."""
    start = _HEADER_COMMENT.get(kind)
    if start is not None and data[start : start + 2] == b"/*":
        return _COMMENT_END.search(data, start) is not None
    return kind == "gif" and _GIF_ASSIGNMENT.match(data) is not None


_END_RECORD = b"PK\x05\x06"
_END_SIZE = 22
_MAX_COMMENT = 0xFFFF


def _has_archive(data: bytes) -> bool:
    """Whether a ZIP reader finds a directory: an end record whose comment fits into the file, entries before it.

    Layout: APPNOTE.TXT 4.3.16. Readers allow anything in front, so the directory's own offset is not asked.
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
