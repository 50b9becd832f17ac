"""File names given by users: kept for display, never used as a path or an object key."""

import unicodedata

MAX_LENGTH = 255
_MAX_EXTENSION_LENGTH = 10
_JOINERS = "\u200c\u200d"
_JOINED_BEFORE, _JOINED_AFTER = {"Lo", "Lm", "Mn", "Mc", "Me", "So", "Sk"}, {"Lo", "Lm", "Mn", "Mc", "So"}
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode general categories


def clean_filename(given: str, *, fallback: str = "upload") -> str:
    """`given` as it may be shown: last path segment, NFC, no invisible characters, at most 255 characters.

    Joiners stay where emoji and scripts such as Persian need them, which is never next to Latin letters or digits.
    `fallback` is the name when nothing is left.
    """
    text = given.encode("utf-8", "ignore").decode()  # without lone surrogates
    last = unicodedata.normalize("NFC", text).replace("\\", "/").rpartition("/")[2]
    visible = "".join(char for char in last if char in _JOINERS or unicodedata.category(char) not in _INVISIBLE)
    shown = _drop_loose_joiners(visible).strip()
    return _shorten(shown) if shown.strip(".") else fallback


def _drop_loose_joiners(text: str) -> str:
    """`text` without joiners at its ends, in a row, or next to characters that do not join."""
    neighbours = zip(" " + text, text, text[1:] + " ", strict=False)
    return "".join(char for before, char, after in neighbours if char not in _JOINERS or _join(before, after))


def _join(before: str, after: str) -> bool:
    return unicodedata.category(before) in _JOINED_BEFORE and unicodedata.category(after) in _JOINED_AFTER


def _shorten(name: str) -> str:
    if len(name) <= MAX_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _MAX_EXTENSION_LENGTH:
        return name[:MAX_LENGTH]
    return stem[: MAX_LENGTH - len(extension) - 1] + dot + extension
