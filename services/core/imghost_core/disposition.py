"""`Content-Disposition` with a user-chosen file name (RFC 6266 with the encoding of RFC 8187)."""

import re
from urllib.parse import quote

from imghost_core.filenames import clean_filename

_MAX_STEM = 120
_UNSAFE = re.compile(r'[/\\:*?"<>|%;]')  # path separators, and characters that browsers or old servers misread
_ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"  # RFC 8187, attr-char, beyond letters and digits
_ALIASES = {"jpg": ("jpg", "jpeg", "jpe", "jfif")}


def attachment(name: str, extension: str) -> str:
    """The value of `Content-Disposition` that saves an image under `name` with its real extension."""
    clean = safe_name(name, extension)
    plain = clean.encode("ascii", "replace").decode().replace("?", "_")
    if plain == clean:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(clean, safe=_ATTRIBUTE_CHARACTERS)}"


def safe_name(name: str, extension: str) -> str:
    """`name` without folders, control and direction characters, and with `extension` unless it has it already."""
    shown = clean_filename(name, fallback="image")
    stem, dot, ending = _UNSAFE.sub("_", shown).rpartition(".")
    if not dot or ending.lower() not in _ALIASES.get(extension, (extension,)):
        stem, ending = stem + dot + ending, extension
    return f"{stem.strip(' .')[:_MAX_STEM] or 'image'}.{ending}"
