"""The multipart body of an upload, parsed as it arrives: one file, little else, and a hard end to everything."""

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from imghost_core.errors import InvalidRequest, TooLarge

FIELD = "file"
MOST_PARTS = 8
MOST_FIELD_BYTES = 64 * 1024  # of all the parts that are not the file
_MOST_HEADERS = 8
_LONGEST_BOUNDARY = 70  # RFC 2046, section 5.1.1
_MOST_HEADER_BYTES = 4 * 1024


class UploadParser:
    """Feed it the body; it hands the file's bytes to `keep` and stops at the first thing that is not allowed.

    Raises `InvalidRequest` for a malformed body and `TooLarge` beyond `limit` bytes of file.
    """

    def __init__(self, content_type: str, *, limit: int, keep: Callable[[bytes], None]) -> None:
        self._limit, self._keep = limit, keep
        self._parts = self._other_bytes = 0
        self._name, self._value, self._disposition = b"", b"", b""
        self._in_file = self._ended = False
        self.file_name: str | None = None
        self.size = 0
        self._parser = MultipartParser(
            _boundary(content_type),
            {
                "on_part_begin": self._part_begins,
                "on_header_begin": self._header_begins,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_ends,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_end": self._ends,
            },
            max_header_count=_MOST_HEADERS,
            max_header_size=_MOST_HEADER_BYTES,
        )

    def feed(self, chunk: bytes) -> None:
        """Parse the next bytes of the body."""
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequest(f"The multipart body cannot be read: {error}.", code="invalid_multipart") from error

    def finish(self) -> None:
        """Check, after the last byte, that the body was whole and had a file in it."""
        if not self._ended:
            raise InvalidRequest("The multipart body ends before its last boundary.", code="invalid_multipart")
        if self.file_name is None:
            raise _missing()

    def _part_begins(self) -> None:
        self._parts += 1
        self._disposition = b""
        if self._parts > MOST_PARTS:
            raise InvalidRequest(f"The form has more than {MOST_PARTS} parts. Send the picture as the field `{FIELD}`.")

    def _header_begins(self) -> None:
        self._name = self._value = b""

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_ends(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._disposition)
        self._in_file = options.get(b"name") == FIELD.encode()
        if not self._in_file:
            return
        if self.file_name is not None:
            raise InvalidRequest(
                "One upload carries one picture. Send the others by themselves.",
                errors=[{"field": FIELD, "message": "given more than once"}],
            )
        self.file_name = options.get(b"filename", b"").decode("utf-8", "replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._other_bytes += end - start
            if self._other_bytes > MOST_FIELD_BYTES:
                raise InvalidRequest(f"The fields beside `{FIELD}` are larger than {MOST_FIELD_BYTES} bytes.")
            return
        self.size += end - start
        if self.size > self._limit:
            raise too_large(self._limit)
        self._keep(data[start:end])

    def _ends(self) -> None:
        self._ended = True


def too_large(limit: int) -> TooLarge:
    """The refusal of a file of more than `limit` bytes.

    The connection stays open and the server throws the rest away as it comes: closed under a client that still sends,
    it would be reset, and the answer lost.
    """
    return TooLarge(
        f"The file is larger than the {limit} bytes that your plan and this service allow. Send a smaller one.",
        extra={"limit_bytes": limit},
    )


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise _missing("Send the picture as multipart/form-data, in the field `file`.")
    if len(boundary) > _LONGEST_BOUNDARY:
        raise InvalidRequest("The multipart boundary has more than 70 characters.", code="invalid_multipart")
    return boundary


def _missing(detail: str = f"The form has no field `{FIELD}`. Send the picture in it.") -> InvalidRequest:
    return InvalidRequest(detail, errors=[{"field": FIELD, "message": "is missing"}])
