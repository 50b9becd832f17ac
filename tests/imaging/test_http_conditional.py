"""Ranges and conditions as pure functions."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imghost_imaging.http_conditional import (
    PreconditionFailed,
    RangeNotSatisfiable,
    Span,
    check_preconditions,
    http_date,
    is_unchanged,
    requested_span,
)

WHEN = datetime(2026, 11, 21, 7, 8, 9, 123456, UTC)
TAG = '"abc"'


def span(header: str | None, size: int = 100, if_range: str | None = None) -> Span | None:
    return requested_span(header, if_range, size, TAG, WHEN)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", Span(0, 1)),
        ("bytes=99-", Span(99, 1)),
        ("BYTES=5-9", Span(5, 5)),
        ("bytes= 5-9 ", Span(5, 5)),
        ("bytes=5-1000", Span(5, 95)),
        ("bytes=-1", Span(99, 1)),
        ("bytes=-1000", Span(0, 100)),
        (None, None),
        ("", None),
        ("bytes=-", None),
        ("bytes=9-8", None),
        ("bytes=0-1,3-4", None),
        ("bytes=1-2-3", None),
        ("bytes=٣-٤", None),
        ("bytes=" + "9" * 5000 + "-1", None),
        ("bytes=5-" + "9" * 5000, Span(5, 95)),
        ("bytes=-" + "9" * 5000, Span(0, 100)),
        ("bytes=" + "0" * 5000 + "7-8", Span(7, 2)),
        ("items=0-1", None),
    ],
)
def test_single_ranges_are_parsed(header: str | None, expected: Span | None) -> None:
    """Single ranges are understood; what is malformed, foreign or multiple means the whole."""
    assert span(header) == expected


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999-", f"bytes={'9' * 5000}-"]
)
def test_a_range_beyond_the_end_is_not_satisfiable(header: str) -> None:
    """A range that begins behind the last byte is refused with the size."""
    with pytest.raises(RangeNotSatisfiable) as caught:
        span(header)
    assert caught.value.headers == {"Content-Range": "bytes */100"}
    assert "100 bytes" in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"bytes=\d{0,20}-\d{0,20}"), st.integers(1, 10**12))
def test_a_requested_span_is_always_within_the_file(header: str, size: int) -> None:
    """Whatever a client writes, bytes outside the file are never asked of the store."""
    try:
        found = span(header, size)
    except RangeNotSatisfiable:
        return
    assert found is None or (found.start >= 0 and found.length > 0 and found.start + found.length <= size)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (WHEN, "Sat, 21 Nov 2026 07:08:09 GMT"),
        (datetime(2026, 11, 21, 1, 8, 9, 999999, timezone(timedelta(hours=2))), "Fri, 20 Nov 2026 23:08:09 GMT"),
    ],
)
def test_http_dates_are_in_gmt(moment: datetime, expected: str) -> None:
    """A time of any zone is sent as the one form that HTTP allows, cut to the second."""
    assert http_date(moment) == expected


@pytest.mark.parametrize(
    ("validator", "holds"),
    [
        (TAG, True),
        (http_date(WHEN), True),
        (f"W/{TAG}", False),
        ('"other"', False),
        ("Sat, 21 Nov 2026 07:08:10 GMT", False),
        ("nonsense", False),
    ],
)
def test_if_range_compares_strongly(validator: str, holds: bool) -> None:
    """Only the exact tag or the exact date let a range through."""
    assert (span("bytes=0-9", if_range=validator) is not None) == holds


@pytest.mark.parametrize(
    ("none_match", "since", "unchanged"),
    [
        (TAG, None, True),
        (f"W/{TAG}", None, True),
        (f'"x", W/"y",{TAG}', None, True),
        ("*", None, True),
        ('"ab"', None, False),
        ("abc", None, False),
        ("", None, False),
        (None, None, False),
        (None, http_date(WHEN), True),
        (None, "Sat, 21 Nov 2026 07:08:08 GMT", False),
        (None, "Sun, 22 Nov 2026 07:08:08 GMT", True),
        (None, "Sat, 21 Nov 2026 07:08:09 -0000", True),
        (None, "Sat, 21 Nov 2026 07:08:08 -0000", False),
        (None, "Sat, 21 Nov 2026 09:08:08 +0200", False),
        (None, "Sat, 21 Nov 2026 06:08:09 -0100", True),
        (None, "yesterday", False),
        (None, "Sun, 32 Nov 2026 07:08:08 GMT", False),
        ('"other"', http_date(WHEN), False),
    ],
)
def test_if_none_match_takes_precedence_over_if_modified_since(
    none_match: str | None, since: str | None, unchanged: bool
) -> None:
    """Tags compare weakly and take precedence over dates (RFC 9110, 13.1)."""
    assert is_unchanged(none_match, since, TAG, WHEN) == unchanged


@pytest.mark.parametrize(
    ("match", "until", "holds"),
    [
        (None, None, True),
        (TAG, None, True),
        (f'"x", {TAG}', None, True),
        ("*", None, True),
        (f"W/{TAG}", None, False),
        ('"other"', None, False),
        ("", None, False),
        (None, http_date(WHEN), True),
        (None, "Sat, 21 Nov 2026 07:08:08 GMT", False),
        (None, "Sun, 22 Nov 2026 07:08:08 GMT", True),
        (None, "yesterday", True),
        (TAG, "Mon, 01 Jan 2001 00:00:00 GMT", True),
        ('"other"', http_date(WHEN), False),
    ],
)
def test_preconditions_hold_for_the_present_version_only(match: str | None, until: str | None, holds: bool) -> None:
    """If-Match compares strongly and takes precedence over If-Unmodified-Since; no date is no condition (13.1)."""
    if holds:
        check_preconditions(match, until, TAG, WHEN)
    else:
        with pytest.raises(PreconditionFailed):
            check_preconditions(match, until, TAG, WHEN)
