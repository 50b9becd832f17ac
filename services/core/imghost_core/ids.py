"""Identifiers: time-ordered UUIDs inside, short random ids and checksummed secrets outside."""

import secrets
import time
import uuid
import zlib

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLIC_ID_LENGTH = 12
KEY_PREFIX = "ih_"
_KEY_RANDOM = 32
_CHECKSUM = 6


def uuid7() -> uuid.UUID:
    """A UUID version 7: 48 bits of milliseconds, then randomness (RFC 9562, section 5.7)."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def public_id() -> str:
    """A public image id: 12 characters of base62, 71 bits, not guessable and not ordered."""
    return _random(PUBLIC_ID_LENGTH)


def api_key() -> str:
    """A new API key: `ih_`, 32 random characters, 6 of checksum, so that a mistyped key is detected without a query."""
    body = _random(_KEY_RANDOM)
    return KEY_PREFIX + body + _checksum(body)


def is_api_key(text: str) -> bool:
    """Whether `text` has the form of a key and a correct checksum; it may still be unknown or revoked."""
    body, checksum = text[len(KEY_PREFIX) : -_CHECKSUM], text[-_CHECKSUM:]
    well_formed = text.startswith(KEY_PREFIX) and len(body) == _KEY_RANDOM and text.isascii()
    return well_formed and secrets.compare_digest(checksum, _checksum(body))


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits
