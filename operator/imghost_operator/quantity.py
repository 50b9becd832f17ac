"""Kubernetes quantities (`1500m`, `512Mi`) in the form the API server stores, so that comparing finds no false change.

The rules are those of `CanonicalizeBytes` in `k8s.io/apimachinery/pkg/api/resource`.
"""

import re
from fractions import Fraction

_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_FORM = re.compile(r"(?P<number>[0-9]+(?:[.][0-9]+)?)(?P<suffix>[numkMGTPE]|[KMGTPE]i)?")
_SMALLEST_BINARY = 1024


def parse(quantity: str | int) -> Fraction:
    """The exact value. Raises ValueError when it is no quantity that imghost accepts (no signs, no exponents)."""
    return _split(quantity)[0]


def canonical(quantity: str | int) -> str:
    """The same value as the API server writes it: `0.5` is `500m`, `1024Mi` is `1Gi`. Raises ValueError.

    A binary value that no binary suffix keeps whole becomes decimal, `791531.25Ki` is `810528k`: the server would write
    `810528000` first and `810528k` from the next time on.
    """
    value, is_binary = _split(quantity)
    if is_binary and value >= _SMALLEST_BINARY and value % _SMALLEST_BINARY == 0:
        return _scale(value, 1024, {power: suffix for suffix, power in _BINARY.items()})
    return _scale(value * 10**9, 1000, {exponent // 3 + 3: suffix for suffix, exponent in _DECIMAL.items()})


def whole(quantity: str | int) -> int:
    """The value as a whole number (bytes), rounded up. Raises ValueError."""
    return -(-parse(quantity) // 1)


def _split(quantity: str | int) -> tuple[Fraction, bool]:
    found = _FORM.fullmatch(str(quantity))
    if found is None:
        raise ValueError(f"{quantity!r} is not a quantity; write for example 500m, 2, 512Mi or 1.5Gi")
    suffix = found["suffix"] or ""
    unit = Fraction(1024) ** _BINARY[suffix] if suffix in _BINARY else Fraction(10) ** _DECIMAL[suffix]
    return Fraction(found["number"]) * unit, suffix in _BINARY


def _scale(value: Fraction, base: int, suffixes: dict[int, str]) -> str:
    """The whole number with the largest suffix that keeps it whole; finer than the finest suffix is rounded up."""
    number, power = -(-value // 1), 0
    if number == 0:
        return "0"
    while number % base == 0 and power < max(suffixes):
        number, power = number // base, power + 1
    return f"{number}{suffixes[power]}"
