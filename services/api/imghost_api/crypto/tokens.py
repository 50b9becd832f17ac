"""Access tokens (RFC 7519, RFC 9068). Each key has one algorithm, and nothing in a token can select another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey, OKPKey
from joserfc.jws import extract_compact

from imghost_api.crypto.errors import InvalidToken, TokenExpired
from imghost_api.settings import ApiSettings
from imghost_core import ids

AUDIENCE = "imghost"
TYPE = "at+jwt"
_MAX_LENGTH = 4096
_SHARED_KID = "hs256"


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a valid token. Whether the user may still act is looked up, never read from here."""

    user_id: UUID
    workspace_id: UUID


@dataclass(frozen=True, slots=True)
class _SigningKey:
    algorithm: str
    material: OKPKey | OctKey


class Tokens:
    """Signs with the private key if one is configured, else with the shared secret; accepts both."""

    def __init__(self, settings: ApiSettings) -> None:
        self._issuer = settings.auth_server_url
        self._lifetime = settings.access_token_seconds
        self._keys: dict[str, _SigningKey] = {}
        self.jwks: dict[str, list[dict[str, Any]]] = {"keys": []}
        if settings.jwt_private_key is not None:
            self._add_private(settings.jwt_private_key.get_secret_value())
        if settings.jwt_secret is not None:
            self._keys[_SHARED_KID] = _SigningKey("HS256", OctKey.import_key(settings.jwt_secret.get_secret_value()))
        self._signing = next(iter(self._keys))

    def issue(self, claims: Claims, *, now: int) -> tuple[str, int]:
        """A token for `claims`, and its lifetime in seconds. `now` is a Unix time."""
        key = self._keys[self._signing]
        header = {"alg": key.algorithm, "kid": self._signing, "typ": TYPE}
        body = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(claims.user_id),
            "workspace_id": str(claims.workspace_id),
            "iat": now,
            "exp": now + self._lifetime,
            "jti": str(ids.uuid7()),
        }
        return jwt.encode(header, body, key.material, algorithms=[key.algorithm]), self._lifetime

    def read(self, token: str, *, now: int) -> Claims:
        """The claims of a token issued here. Raises `Unauthorized`; an expired token has its own code."""
        try:
            claims = self._verify(token)
            user, workspace, expires = UUID(claims["sub"]), UUID(claims["workspace_id"]), claims["exp"]
        except (JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InvalidToken from error
        if claims.get("iss") != self._issuer or claims.get("aud") != AUDIENCE or type(expires) is not int:
            raise InvalidToken
        if expires <= now:
            raise TokenExpired
        return Claims(user, workspace)

    def _verify(self, token: str) -> Mapping[str, Any]:
        if len(token) > _MAX_LENGTH:
            raise ValueError("longer than any token issued here")
        header = extract_compact(token.encode()).headers()
        key = self._keys[str(header["kid"])]
        if set(header) != {"alg", "kid", "typ"} or header["alg"] != key.algorithm or header["typ"] != TYPE:
            raise ValueError("not a header of a token issued here")
        return jwt.decode(token, key.material, algorithms=[key.algorithm]).claims

    def _add_private(self, pem: str) -> None:
        key = _read_ed25519(pem)
        kid = key.thumbprint()
        self._keys[kid] = _SigningKey("Ed25519", key)  # RFC 9864; formerly EdDSA
        public = {**key.as_dict(private=False), "kid": kid, "alg": "Ed25519", "use": "sig"}
        self.jwks["keys"].append(public)


def _read_ed25519(pem: str) -> OKPKey:
    try:
        # One-line environment files carry the line breaks of a PEM as "\n".
        key = OKPKey.import_key(pem.replace("\\n", "\n"))
        valid = key.is_private and key.as_dict(private=False)["crv"] == "Ed25519"
    except (ValueError, TypeError, KeyError, AttributeError, JoseError):
        valid = False
    if not valid:
        raise ValueError("must be an Ed25519 private key in PEM")
    return key
