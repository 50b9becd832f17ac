"""Headers of the parts of a form, as browsers and other clients write them. Pure."""

import re
from urllib.parse import unquote_to_bytes

from python_multipart.multipart import parse_options_header

_EXTENDED = re.compile(rb";[ \t]*filename\*[ \t]*=[ \t]*(utf-8|iso-8859-1)'[^']*'([^\s;\"]*)", re.IGNORECASE)
_QUOTED = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BROWSER_ESCAPES = {"%22": '"', "%0D": "\r", "%0A": "\n"}  # all that browsers escape (WHATWG HTML, 4.10.21.8)
_ESCAPE = re.compile("|".join(_BROWSER_ESCAPES))
_IDENTITY = {b"", b"7bit", b"8bit", b"binary"}


def read_part_name(disposition: bytes) -> bytes:
    """The `name` of a part."""
    return parse_options_header(disposition)[1].get(b"name", b"")


def read_file_name(disposition: bytes) -> str:
    """The file name in a `Content-Disposition`; empty when it has none.

    `filename*` (RFC 8187) is preferred: form data should not have it (RFC 7578, 4.2), but the clients that send it
    encode `filename` in ways of their own.
    """
    extended = _EXTENDED.search(_QUOTED.sub(b'""', disposition))
    if extended:
        return unquote_to_bytes(extended[2]).decode(extended[1].decode(), "replace")
    plain = parse_options_header(disposition)[1].get(b"filename", b"").decode("utf-8", "replace")
    return _ESCAPE.sub(lambda found: _BROWSER_ESCAPES[found[0]], plain)


def is_identity(transfer_encoding: bytes) -> bool:
    """Whether a `Content-Transfer-Encoding` leaves the bytes of a part as they are."""
    return transfer_encoding.strip().lower() in _IDENTITY
