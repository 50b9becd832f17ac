"""Keyed digests: what the database stores of a secret."""

import hashlib
import hmac
from collections.abc import Callable

from pydantic import SecretStr

Digest = Callable[[str], bytes]


def keyed_digest(pepper: SecretStr) -> Digest:
    """HMAC-SHA256 under a secret that is not in the database."""
    secret = pepper.get_secret_value().encode()
    return lambda value: hmac.digest(secret, value.encode(), hashlib.sha256)
