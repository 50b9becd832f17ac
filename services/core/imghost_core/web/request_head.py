"""What the head of a request must be like before anything reads it."""

import re
from collections.abc import Sequence

from starlette.types import Scope

from imghost_core.errors import HttpError, InvalidRequest

MAX_HEADERS = 100
MAX_HEADER_BYTES = 64 * 1024
_HOST = re.compile(rb"[A-Za-z0-9._~%:\[\]-]{0,255}")


class HeadersTooLarge(HttpError):
    """The request has too many headers, or too large ones."""

    status, code, title = 431, "headers_too_large", "Request header fields too large"
    advice = f"Send at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together."

    def __init__(self) -> None:
        super().__init__(
            f"A request may have at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes together. Send fewer."
        )


class InvalidHost(InvalidRequest):
    """The request has no `Host` header, several, or one that names no host."""

    code, title = "invalid_host", "Invalid Host header"
    advice = "Send one `Host` header, with the host and the port of the URL."

    def __init__(self) -> None:
        super().__init__("Send one Host header, with the host and the port of the URL (RFC 9112, section 3.2).")


def check_head(scope: Scope) -> None:
    """Raise `HeadersTooLarge` or `InvalidHost`."""
    headers: Sequence[tuple[bytes, bytes]] = scope["headers"]
    if len(headers) > MAX_HEADERS or sum(len(name) + len(value) for name, value in headers) > MAX_HEADER_BYTES:
        raise HeadersTooLarge
    hosts = [value for name, value in headers if name == b"host"]
    required = 0 if scope.get("http_version") == "1.0" else 1
    if not required <= len(hosts) <= 1 or not all(map(_HOST.fullmatch, hosts)):
        raise InvalidHost
