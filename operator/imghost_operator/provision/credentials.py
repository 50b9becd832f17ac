"""A tenant's secrets: made once, then read back from its Kubernetes Secrets, which are the only copy."""

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from imghost_operator.build_inputs import Role, Signing
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_contract import (
    API_KEY_PEPPER,
    DATABASE_SECRETS,
    DATABASE_URL,
    INTERNAL_SECRET,
    INTERNAL_TOKEN,
    JWT_PRIVATE_KEY,
    S3_ACCESS_KEY_ID,
    S3_SECRET_ACCESS_KEY,
    SIGNING_SECRET,
    STORAGE_SECRET,
)

_SHORTEST = 32  # characters; a shorter value was not generated here


@dataclass(frozen=True, slots=True)
class Credentials:
    """All secrets of one tenant. `fresh` names the Secrets that were missing, so their values are new here."""

    passwords: Mapping[Role, str] = field(repr=False)
    store_secret: str = field(repr=False)
    signing: Signing = field(repr=False)
    fresh: frozenset[str]

    @property
    def database_is_fresh(self) -> bool:
        """Some database password is not known to the server yet."""
        return not self.fresh.isdisjoint(DATABASE_SECRETS.values())

    @property
    def store_is_fresh(self) -> bool:
        """The store's key is not known to the store yet."""
        return STORAGE_SECRET in self.fresh


def read(children: Mapping[ObjectRef, Object], *, store_key_id: str) -> Credentials:
    """The credentials in a tenant's Secrets; what is missing or unreadable there is generated again.

    `store_key_id` is the id of the access key that the store has for this tenant, or will have; empty for a store
    without access keys, whose Secret has nothing to read.
    """
    found = {key.name: _data(secret) for key, secret in children.items() if key.kind == "Secret"}
    for secret in DATABASE_SECRETS.values():
        if url := found.get(secret, {}).get(DATABASE_URL):
            found[secret]["PASSWORD"] = unquote(urlsplit(url).password or "")
    reader = _Reader(found)
    passwords = {role: reader.take(secret, "PASSWORD", token) for role, secret in DATABASE_SECRETS.items()}
    signing = Signing(
        jwt_private_key=reader.take(SIGNING_SECRET, JWT_PRIVATE_KEY, signing_key),
        api_key_pepper=reader.take(SIGNING_SECRET, API_KEY_PEPPER, token),
        internal_token=reader.take(INTERNAL_SECRET, INTERNAL_TOKEN, token),
    )
    store_secret = reader.take(STORAGE_SECRET, S3_SECRET_ACCESS_KEY, token) if store_key_id else ""
    # A new id is not known to the store yet; a store without access keys only has to be made once.
    is_store_known = found.get(STORAGE_SECRET, {}).get(S3_ACCESS_KEY_ID, "") == store_key_id and STORAGE_SECRET in found
    fresh = reader.fresh if is_store_known else reader.fresh | {STORAGE_SECRET}
    return Credentials(passwords, store_secret, signing, frozenset(fresh))


@dataclass(slots=True)
class _Reader:
    """Takes values from Secrets. `fresh` collects the Secrets of which a value had to be generated."""

    found: Mapping[str, Mapping[str, str]]
    fresh: set[str] = field(default_factory=set)

    def take(self, secret: str, entry: str, generate: Callable[[], str]) -> str:
        text = self.found.get(secret, {}).get(entry, "")
        if len(text) >= _SHORTEST:
            return text
        self.fresh.add(secret)
        return generate()


def token() -> str:
    """40 random characters, safe in URLs and in S3 secrets: 240 bits."""
    return secrets.token_urlsafe(30)


def signing_key() -> str:
    """A new Ed25519 private key, PKCS #8 PEM."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _data(secret: Object) -> dict[str, str]:
    plain: dict[str, str] = dict(secret.get("stringData") or {})
    for name, value in (secret.get("data") or {}).items():
        try:
            plain.setdefault(name, base64.b64decode(value, validate=True).decode())
        except (binascii.Error, UnicodeDecodeError):
            continue  # another manager's bytes: treated as missing, so it is created again
    return plain
