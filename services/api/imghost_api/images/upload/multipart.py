"""Streaming parser of an upload's multipart body: one file, few other fields, and a limit on everything."""

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from imghost_core.errors import InvalidRequest, TooLarge

FIELD = "file"
MAX_PARTS = 8
MAX_FIELD_BYTES = 64 * 1024  # of all the parts that are not the file
_MAX_HEADERS = 8
_MAX_BOUNDARY = 70  # RFC 2046, section 5.1.1
_MAX_HEADER_BYTES = 4 * 1024


class UploadParser:
    """Parses the body as it is fed, passes the file's bytes to `write`, and stops at the first violation.

    Raises `InvalidRequest` for a malformed body and `TooLarge` beyond `limit` bytes of file.
    """

    def __init__(self, content_type: str, *, limit: int, write: Callable[[bytes], None]) -> None:
        self._limit, self._write = limit, write
        self._parts = self._other_bytes = 0
        self._name, self._value, self._disposition = b"", b"", b""
        self._in_file = self._ended = False
        self.file_name: str | None = None
        self.size = 0
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._begin_part,
                "on_header_begin": self._begin_header,
                "on_header_field": self._add_header_name,
                "on_header_value": self._add_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._add_data,
                "on_end": self._end,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER_BYTES,
        )

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequest(f"The multipart body cannot be read: {error}.", code="invalid_multipart") from error

    def finish(self) -> None:
        """Check, after the last byte, that the body was complete and contained a file."""
        if not self._ended:
            raise InvalidRequest(
                "The multipart body ends before its last boundary. Send it again.", code="invalid_multipart"
            )
        if self.file_name is None:
            raise _missing_file()

    def _begin_part(self) -> None:
        self._parts += 1
        self._disposition = b""
        if self._parts > MAX_PARTS:
            raise InvalidRequest(f"The form has more than {MAX_PARTS} parts. Send the image in the field `{FIELD}`.")

    def _begin_header(self) -> None:
        self._name = self._value = b""

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._in_file = options.get(b"name") == FIELD.encode()
        if not self._in_file:
            return
        if self.file_name is not None:
            raise InvalidRequest(
                "The form has more than one file. Upload one file per request.",
                errors=[{"field": FIELD, "message": "given more than once"}],
            )
        self.file_name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._other_bytes += end - start
            if self._other_bytes > MAX_FIELD_BYTES:
                raise InvalidRequest(
                    f"The fields other than `{FIELD}` exceed {MAX_FIELD_BYTES} bytes. Send only the file."
                )
            return
        self.size += end - start
        if self.size > self._limit:
            raise too_large(self._limit)
        self._write(data[start:end])

    def _end(self) -> None:
        self._ended = True


def too_large(limit: int) -> TooLarge:
    """The error for a file of more than `limit` bytes.

    The connection stays open and the server discards the rest of the body: closing it under a client that still sends
    would reset it, and the response would be lost.
    """
    return TooLarge(
        f"The file exceeds the limit of {limit} bytes of your plan and this service. Send a smaller file.",
        extra={"limit_bytes": limit},
    )


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise _missing_file("Send the image as multipart/form-data, in the field `file`.")
    if len(boundary) > _MAX_BOUNDARY:
        raise InvalidRequest("The multipart boundary has more than 70 characters.", code="invalid_multipart")
    return boundary


def _missing_file(detail: str = f"The form has no field `{FIELD}`. Send the image in it.") -> InvalidRequest:
    return InvalidRequest(detail, errors=[{"field": FIELD, "message": "is missing"}])
