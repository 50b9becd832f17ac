"""Streaming parser of an upload's multipart body: one file, few other fields, and a limit on everything."""

from collections.abc import Callable

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from imghost_api.images.upload.errors import FIELD, FileMissing, InvalidMultipart, SeveralFiles, UploadTooLarge
from imghost_api.images.upload.part_headers import is_identity, read_file_name, read_part_name

MAX_PARTS = 8
MAX_FIELD_BYTES = 64 * 1024  # of all the parts that are not the file
_MAX_HEADERS = 8
_MAX_BOUNDARY = 70  # RFC 2046, section 5.1.1
_MAX_HEADER_BYTES = 4 * 1024


class UploadParser:
    """Parses the body as it is fed, passes the file's bytes to `write`, and stops at the first violation.

    Raises `InvalidMultipart`, `FileMissing`, `SeveralFiles`, and `UploadTooLarge` beyond `limit` bytes of file.
    """

    def __init__(self, content_type: str, *, limit: int, write: Callable[[bytes], None]) -> None:
        self._limit, self._write = limit, write
        self._parts = self._other_bytes = 0
        self._name, self._value = b"", b""
        self._disposition, self._transfer_encoding = b"", b""
        self._in_file = self._ended = False
        self.file_name: str | None = None
        self.size = 0
        boundary = _boundary(content_type)
        self._preamble: _Preamble | None = _Preamble(boundary)
        self._last, self._tail = b"\r\n--" + boundary + b"--", b""
        self._parser = MultipartParser(
            boundary,
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
        if self._preamble is not None:
            chunk = self._preamble.skip(chunk)
            if chunk:
                self._preamble = None
        rest = chunk if self._ended else None
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidMultipart(f"The multipart body cannot be read: {error}.") from error
        if rest is None:
            # The parser skips what follows the last boundary, which may have begun in the chunk before.
            window = self._tail + chunk
            self._tail = window[-len(self._last) :]
            rest = window.partition(self._last)[2] if self._ended else b""
        if rest.strip(b"\r\n"):
            raise InvalidMultipart("The multipart body goes on after its last boundary. End it there.")

    def finish(self) -> None:
        """Check, after the last byte, that the body was complete and contained a file."""
        if not self._ended:
            raise InvalidMultipart("The multipart body ends before its last boundary. Send it again.")
        if self.file_name is None:
            raise FileMissing

    def _begin_part(self) -> None:
        self._parts += 1
        self._disposition = self._transfer_encoding = b""
        if self._parts > MAX_PARTS:
            raise InvalidMultipart(f"The form has more than {MAX_PARTS} parts. Send the image in the field `{FIELD}`.")

    def _begin_header(self) -> None:
        self._name = self._value = b""

    def _add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _end_header(self) -> None:
        if self._name.lower() == b"content-disposition":
            self._disposition = self._value
        if self._name.lower() == b"content-transfer-encoding":
            self._transfer_encoding = self._value

    def _end_headers(self) -> None:
        self._in_file = read_part_name(self._disposition) == FIELD.encode()
        if not self._in_file:
            return
        if self.file_name is not None:
            raise SeveralFiles
        if not is_identity(self._transfer_encoding):
            raise InvalidMultipart(
                f"The field `{FIELD}` has a Content-Transfer-Encoding, which form data does not use (RFC 7578, 4.7). "
                "Send the bytes of the file as they are, without that encoding."
            )
        self.file_name = read_file_name(self._disposition)

    def _add_data(self, data: bytes, start: int, end: int) -> None:
        if not self._in_file:
            self._other_bytes += end - start
            if self._other_bytes > MAX_FIELD_BYTES:
                raise InvalidMultipart(
                    f"The fields other than `{FIELD}` exceed {MAX_FIELD_BYTES} bytes. "
                    f"Send the image in the field `{FIELD}`, and nothing else."
                )
            return
        self.size += end - start
        if self.size > self._limit:
            raise UploadTooLarge(self._limit)
        self._write(data[start:end])

    def _end(self) -> None:
        self._ended = True


class _Preamble:
    """Skips what may precede the first boundary (RFC 2046, 5.1.1), at most as much as all other fields may have."""

    def __init__(self, boundary: bytes) -> None:
        self._marker = b"\r\n--" + boundary
        self._seen = bytearray(b"\r\n")  # the boundary may come first

    def skip(self, chunk: bytes) -> bytes:
        """What follows the preamble in `chunk` and those before it; empty while it has not ended."""
        searched = max(0, len(self._seen) - len(self._marker))
        self._seen += chunk
        start = self._seen.find(self._marker, searched)
        if start < 0 and len(self._seen) > MAX_FIELD_BYTES:
            raise InvalidMultipart(f"The multipart body has no boundary within its first {MAX_FIELD_BYTES} bytes.")
        return bytes(self._seen[start + 2 :]) if start >= 0 else b""


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise FileMissing("Send the image as multipart/form-data, in the field `file`.")
    if len(boundary) > _MAX_BOUNDARY:
        raise InvalidMultipart("The multipart boundary has more than 70 characters.")
    return boundary
