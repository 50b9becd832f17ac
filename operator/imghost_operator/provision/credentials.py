"""A tenant's generated secrets: how they are made, and read from its Secrets and its recovery Secret. Pure."""

import base64
import binascii
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from imghost_operator.build_inputs import Role, Signing, StoreUser
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import (
    API_KEY_PEPPER,
    DATABASE_SECRETS,
    DATABASE_URL,
    INTERNAL_SECRET,
    INTERNAL_TOKEN,
    JWT_PRIVATE_KEY,
    S3_SECRET_ACCESS_KEY,
    SIGNING_SECRET,
    STORAGE_SECRETS,
)

_SHORTEST = 32  # characters; a shorter value was not generated here
_STORE: Mapping[StoreUser, str] = {"api": S3_SECRET_ACCESS_KEY, "imaging": f"IMAGING_{S3_SECRET_ACCESS_KEY}"}
_PASSWORDS: Mapping[Role, str] = {role: f"{role.upper()}_PASSWORD" for role in DATABASE_SECRETS}


def token() -> str:
    """40 random characters, safe in URLs and in S3 secrets: 240 bits."""
    return secrets.token_urlsafe(30)


def signing_key() -> str:
    """A new Ed25519 private key, PKCS #8 PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(frozen=True, slots=True)
class _Entry:
    """One generated value: the tenant's Secret that has it, the part of `spec.credentials` that replaces it.

    `variable` is its key in that Secret where it is not the one in the recovery Secret.
    """

    secret: str
    part: str
    generate: Callable[[], str] = token
    variable: str = ""


ENTRIES: Mapping[str, _Entry] = {
    **{name: _Entry(DATABASE_SECRETS[role], "database") for role, name in _PASSWORDS.items()},
    **{name: _Entry(STORAGE_SECRETS[user], "storage", variable=S3_SECRET_ACCESS_KEY) for user, name in _STORE.items()},
    INTERNAL_TOKEN: _Entry(INTERNAL_SECRET, "internal"),
    JWT_PRIVATE_KEY: _Entry(SIGNING_SECRET, "signing_key", signing_key),
    API_KEY_PEPPER: _Entry(SIGNING_SECRET, "api_key_pepper"),
}
"""Every generated value, by its key in the recovery Secret."""
SECRETS = frozenset(entry.secret for entry in ENTRIES.values())
"""The tenant's Secrets that have a generated value."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """All generated secrets of one tenant."""

    passwords: Mapping[Role, str] = field(repr=False)
    store_secrets: Mapping[StoreUser, str] = field(repr=False)
    signing: Signing = field(repr=False)


def to_credentials(values: Mapping[str, str]) -> Credentials:
    """The credentials in a complete mapping of `ENTRIES`."""
    return Credentials(
        {role: values[name] for role, name in _PASSWORDS.items()},
        {user: values[name] for user, name in _STORE.items()},
        Signing(values[JWT_PRIVATE_KEY], values[API_KEY_PEPPER], values[INTERNAL_TOKEN]),
    )


def generate(names: Iterable[str]) -> dict[str, str]:
    """A new value for each of these entries."""
    return {name: ENTRIES[name].generate() for name in names}


def entries_of(parts: Iterable[str]) -> list[str]:
    """The entries that these parts of `spec.credentials` replace."""
    chosen = set(parts)
    return [name for name, entry in ENTRIES.items() if entry.part in chosen]


def read(recovery: Object) -> dict[str, str]:
    """The usable entries of a recovery Secret."""
    return {name: value for name, value in decode(recovery).items() if name in ENTRIES and len(value) >= _SHORTEST}


def read_secrets(found: Mapping[str, Object]) -> dict[str, str]:
    """The usable entries that the tenant's own Secrets have; `found` is by name of the Secret."""
    plain = {name: decode(secret) for name, secret in found.items()}
    values = {name: plain.get(entry.secret, {}).get(entry.variable or name, "") for name, entry in ENTRIES.items()}
    for role, name in _PASSWORDS.items():
        url = plain.get(DATABASE_SECRETS[role], {}).get(DATABASE_URL, "")
        values[name] = unquote(urlsplit(url).password or "")
    return {name: value for name, value in values.items() if len(value) >= _SHORTEST}


def decode(secret: Object) -> dict[str, str]:
    """The values of a Secret; what is not text is left out."""
    plain: dict[str, str] = dict(secret.get("stringData") or {})
    for name, value in (secret.get("data") or {}).items():
        try:
            plain.setdefault(name, base64.b64decode(value, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue  # another manager's bytes
    return plain
