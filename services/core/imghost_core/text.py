"""What counts as text: Unicode that PostgreSQL stores and UTF-8 can encode."""

import re

_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def is_text(value: str) -> bool:
    """Whether `value` has neither NUL characters nor unpaired surrogates."""
    return _NOT_TEXT.search(value) is None


def to_text(value: str) -> str:
    """`value` with U+FFFD in place of every character that is no text."""
    return _NOT_TEXT.sub("\ufffd", value)
