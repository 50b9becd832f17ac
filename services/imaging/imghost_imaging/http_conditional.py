"""Conditional and partial requests (RFC 9110, sections 13 and 14), as pure functions over header values."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from imghost_core.errors import HttpError

_TAG = re.compile(r'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
_RANGE = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*", re.IGNORECASE | re.ASCII)
_DIGITS = 18  # positions with more of them are beyond the end of every file


class RangeNotSatisfiable(HttpError):
    """The requested range starts beyond the end of the file."""

    status, code, title = 416, "range_not_satisfiable", "Range not satisfiable"


class PreconditionFailed(HttpError):
    """`If-Match` or `If-Unmodified-Since` does not hold for the image as it is now."""

    status, code, title = 412, "precondition_failed", "Precondition failed"


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a body: `length` bytes from `start`."""

    start: int
    length: int


def http_date(moment: datetime) -> str:
    """`moment` as an HTTP date, to the second."""
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def check_preconditions(if_match: str | None, if_unmodified_since: str | None, etag: str, modified: datetime) -> None:
    """Raise `PreconditionFailed` unless the conditions hold. `If-Match` takes precedence; its tags compare strongly."""
    if if_match is not None:
        holds = if_match.strip() == "*" or ("", etag) in _TAG.findall(if_match)
    else:
        until = _parse_date(if_unmodified_since)
        holds = until is None or modified.replace(microsecond=0) <= until
    if not holds:
        raise PreconditionFailed(
            "The image is not the version that the request names. Request it without If-Match and If-Unmodified-Since.",
            headers={"ETag": etag},
        )


def is_unchanged(if_none_match: str | None, if_modified_since: str | None, etag: str, modified: datetime) -> bool:
    """Whether to respond with 304. `If-None-Match`, when present, takes precedence; tags compare weakly."""
    if if_none_match is not None:
        return if_none_match.strip() == "*" or etag in {tag for _, tag in _TAG.findall(if_none_match)}
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
        span = _suffix(_position(match[2]), size)
    elif match[2] and _position(match[2]) < _position(match[1]):
        return None
    else:
        start, end = _position(match[1]), min(_position(match[2] or str(size)), size - 1)
        span = Span(start, end - start + 1)
    if span.length <= 0:
        raise RangeNotSatisfiable(
            f"The file has {size} bytes, numbered from 0. Request a range within it, or omit Range.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return span


def _position(digits: str) -> int:
    """The number, or one beyond every file: Python refuses to convert more than 4300 digits."""
    significant = digits.lstrip("0")
    return int(significant or "0") if len(significant) <= _DIGITS else 10**_DIGITS


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
