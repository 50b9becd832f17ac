"""The file name a client sent: stored for display, never used as a path or an object key."""

import unicodedata

MAX_LENGTH = 255
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(name: str) -> str:
    """`name` made safe for display: last path segment, NFC, no invisible characters, at most 255 characters."""
    last = unicodedata.normalize("NFC", name).replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if unicodedata.category(character) not in _INVISIBLE).strip()
    return _shorten(shown) if shown.strip(".") else "upload"


def _shorten(name: str) -> str:
    if len(name) <= MAX_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 10:  # noqa: PLR2004 - longer than any extension that is one
        return name[:MAX_LENGTH]
    return stem[: MAX_LENGTH - len(extension) - 1] + dot + extension
