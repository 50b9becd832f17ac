"""Passwords that guessing programs try first."""

import unicodedata
from importlib.resources import files
from typing import Final

_DISTINCT: Final = 5  # characters that a password must at least consist of
_LINES: Final = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop",
    "qwertzuiop",
    "asdfghjkl",
    "1qaz2wsx3edc4rfv",
)
_SEQUENCES: Final = (*_LINES, *(line[::-1] for line in _LINES))
_DECORATION: Final = "0123456789!?.,-_*#@$ "
_SUBSTITUTES: Final = str.maketrans("013457@$!", "oleastasi")
_WORDS: Final = frozenset(files("imghost_api.crypto").joinpath("common_passwords.txt").read_text().split())


def is_common(password: str, *names: str) -> bool:
    """Whether a password is a frequent one, a sequence, too few different characters, or one of the user's `names`.

    Digits and signs around a word, and signs that stand for letters, do not make it another password.
    """
    plain = unicodedata.normalize("NFKC", password).casefold()
    if len(set(plain)) < _DISTINCT:
        return True
    forms = {form for text in (plain, plain.translate(_SUBSTITUTES)) for form in (text, text.strip(_DECORATION))}
    own = {name.casefold().strip(_DECORATION) for name in names}
    return bool(forms & (_WORDS | own)) or any(_is_sequence(form) for form in forms)


def _is_sequence(text: str) -> bool:
    """Whether the whole text runs along the alphabet or the keyboard, both ways and repeated; no text does, too."""
    return any(text in line * (len(text) // len(line) + 2) for line in _SEQUENCES)
