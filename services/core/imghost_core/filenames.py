"""File names given by users: kept for display, never used as a path or an object key."""

import unicodedata

MAX_LENGTH = 255
_MAX_EXTENSION_LENGTH = 10
_INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}  # Unicode general categories


def clean_filename(given: str, *, fallback: str = "upload") -> str:
    """`given` as it may be shown: last path segment, NFC, no invisible characters, at most 255 characters.

    `fallback` is the name when nothing is left.
    """
    text = given.encode("utf-8", "ignore").decode()  # without lone surrogates
    last = unicodedata.normalize("NFC", text).replace("\\", "/").rpartition("/")[2]
    shown = "".join(character for character in last if unicodedata.category(character) not in _INVISIBLE).strip()
    return _shorten(shown) if shown.strip(".") else fallback


def _shorten(name: str) -> str:
    if len(name) <= MAX_LENGTH:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > _MAX_EXTENSION_LENGTH:
        return name[:MAX_LENGTH]
    return stem[: MAX_LENGTH - len(extension) - 1] + dot + extension
