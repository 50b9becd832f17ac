"""Conditional and partial requests (RFC 9110, sections 13 and 14), as pure functions over header values."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from imghost_core.errors import HttpError

_TAG = re.compile(r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE | re.ASCII)


class RangeNotSatisfiable(HttpError):
    """The requested range starts beyond the end of the file."""

    status, code, title = 416, "range_not_satisfiable", "Range not satisfiable"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a body: `length` bytes from `start`."""

    start: int
    length: int


def http_date(moment: datetime) -> str:
    """`moment` as an HTTP date, to the second."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def is_unchanged(if_none_match: str | None, if_modified_since: str | None, etag: str, modified: datetime) -> bool:
    """Whether to respond with 304. `If-None-Match`, when present, takes precedence; tags compare weakly."""
    if if_none_match is not None:
        return if_none_match.strip() == "*" or etag in _TAG.findall(if_none_match)
    since = _parse_date(if_modified_since)
    return since is not None and modified.replace(microsecond=0) <= since


def requested_span(header: str | None, if_range: str | None, size: int, etag: str, modified: datetime) -> Span | None:
    """The range to send, or None to send all `size` bytes.

    All is sent without a range, for a malformed one, for several (an amplification of work, CVE-2025-62727), and when
    `If-Range` names another version. Raises `RangeNotSatisfiable`.
    """
    match = _RANGE.fullmatch(header or "")
    if match is None or match[1] == match[2] == "" or not _matches_if_range(if_range, etag, modified):
        return None
    if match[1] == "":
        span = _suffix(int(match[2]), size)
    elif match[2] and int(match[2]) < int(match[1]):
        return None
    else:
        start, end = int(match[1]), min(int(match[2] or size), size - 1)
        span = Span(start, end - start + 1)
    if span.length <= 0:
        raise RangeNotSatisfiable(
            f"The file has {size} bytes, numbered from 0. Request a range within it, or omit Range.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return span


def _suffix(count: int, size: int) -> Span:
    length = min(count, size)
    return Span(size - length, length)


def _matches_if_range(if_range: str | None, etag: str, modified: datetime) -> bool:
    """`If-Range` compares strongly: a weak tag never matches, a date only exactly."""
    if if_range is None or if_range == etag:
        return True
    return _parse_date(if_range) == modified.replace(microsecond=0)


def _parse_date(text: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text or "")
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
