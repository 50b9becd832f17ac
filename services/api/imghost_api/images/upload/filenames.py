"""The name a file came with: kept to be shown, never used as a path or a key."""

import unicodedata

LONGEST = 255
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean(given: str) -> str:
    """`given` as it may be shown: last path segment, NFC, no invisible characters, at most 255 characters."""
    last = unicodedata.normalize("NFC", given).replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if unicodedata.category(character) not in _HIDDEN).strip()
    return _shortened(shown) if shown.strip(".") else "upload"


def _shortened(name: str) -> str:
    if len(name) <= LONGEST:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 10:  # noqa: PLR2004 - longer than any extension that is one
        return name[:LONGEST]
    return stem[: LONGEST - len(extension) - 1] + dot + extension
