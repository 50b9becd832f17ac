"""Access tokens: only ours, only whole, only in time."""

import base64
import hashlib
import hmac
import json
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey, RSAKey

from imghost_api.crypto.tokens import Claims, Tokens
from imghost_api.main import run
from imghost_core.errors import Unauthorized
from support.api import PRIVATE_KEY, TenantDatabase, api_environment, api_settings, problem, register

NOW = 1_800_000_000
SECRET = "canary-jwt-secret-of-at-least-32-characters"
CLAIMS = Claims(uuid.UUID(int=1), uuid.UUID(int=2))


@pytest.fixture(scope="module")
def settings(tenant: TenantDatabase, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return api_settings(tenant, tmp_path_factory.mktemp("unused"), jwt_secret=SECRET)


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    head, body, signature = token.split(".")
    decoded = [json.loads(base64.urlsafe_b64decode(text + "==")) for text in (head, body)]
    return decoded[0], decoded[1], signature


def test_both_kinds_of_key_are_accepted(settings: Any) -> None:
    """With a private key tokens are Ed25519, and those of the shared secret are accepted too; with the secret alone
    they are HS256.
    """
    both = Tokens(settings)
    alone = Tokens(settings.model_copy(update={"jwt_private_key": None}))
    signed, _ = both.issue(CLAIMS, now=NOW)
    shared, _ = alone.issue(CLAIMS, now=NOW)
    assert (parts_of(signed)[0]["alg"], parts_of(shared)[0]["alg"]) == ("Ed25519", "HS256")
    assert both.read(signed, now=NOW) == both.read(shared, now=NOW) == CLAIMS
    assert alone.jwks == {"keys": []}
    with pytest.raises(Unauthorized):
        alone.read(signed, now=NOW)


def test_a_token_has_exactly_these_claims(settings: Any) -> None:
    """The claims are those of RFC 9068, with the times of issue and expiry, and an id of the token's own."""
    issuing = Tokens(settings)
    (token, lifetime), (other, _) = (issuing.issue(CLAIMS, now=NOW) for _ in range(2))
    claims, others = parts_of(token)[1], parts_of(other)[1]
    assert uuid.UUID(claims.pop("jti")) != uuid.UUID(others["jti"])
    assert claims == {
        "iss": "http://auth.test",
        "aud": "imghost",
        "sub": str(CLAIMS.user_id),
        "workspace_id": str(CLAIMS.workspace_id),
        "iat": NOW,
        "exp": NOW + lifetime,
    }
    assert lifetime == 3600


def hs256(secret: bytes, head: dict[str, Any], body: dict[str, Any]) -> str:
    """A token as made with a library that accepts a public key as an HMAC secret."""
    signed = f"{part(head)}.{part(body)}"
    signature = base64.urlsafe_b64encode(hmac.digest(secret, signed.encode(), hashlib.sha256))
    return f"{signed}.{signature.decode().rstrip('=')}"


def forgeries(settings: Any) -> dict[str, str]:
    """Tokens that must not be accepted, by what is wrong with them."""
    token, _ = Tokens(settings).issue(CLAIMS, now=NOW)
    head, body, signature = parts_of(token)
    ours = OKPKey.import_key(PRIVATE_KEY)
    public_pem = ours.as_pem(private=False).decode()
    stranger = OKPKey.generate_key("Ed25519")

    def signed(key: Any = ours, alg: str = "Ed25519", drop: str = "", head_drop: str = "", **changes: Any) -> str:
        headers = {**head, "alg": alg, **changes.pop("header", {})}
        claims = {**body, **changes}
        claims.pop(drop, None)
        headers.pop(head_drop, None)
        return jwt.encode(headers, claims, key, algorithms=[alg], default_type=None)

    raw = token.split(".")
    public_bytes = base64.urlsafe_b64decode(ours.as_dict(private=False)["x"] + "==")
    return {
        "empty": "",
        "dots": "..",
        "rubbish": "a.b.c",
        "two parts": ".".join(raw[:2]),
        "four parts": token + ".x",
        "none": f"{part({**head, 'alg': 'none'})}.{raw[1]}.",
        "None": f"{part({**head, 'alg': 'None'})}.{raw[1]}.{raw[2]}",
        "no alg": f"{part({k: v for k, v in head.items() if k != 'alg'})}.{raw[1]}.{raw[2]}",
        "alg list": f"{part({**head, 'alg': ['Ed25519']})}.{raw[1]}.{raw[2]}",
        "hs256 with our kid and the public pem": hs256(public_pem.encode(), {**head, "alg": "HS256"}, body),
        "hs256 with our kid and the public bytes": hs256(public_bytes, {**head, "alg": "HS256"}, body),
        "hs256 with our kid and the secret": signed(OctKey.import_key(SECRET), "HS256"),
        "hs512 with the secret": signed(OctKey.import_key(SECRET + SECRET), "HS512", header={"kid": "hs256"}),
        "hs256 with another secret": signed(OctKey.import_key("x" * 40), "HS256", header={"kid": "hs256"}),
        "ed25519 under the secret's kid": signed(header={"kid": "hs256"}),
        "rs256": signed(RSAKey.generate_key(2048), "RS256"),
        "stranger": signed(stranger),
        "stranger with jwk": signed(stranger, header={"jwk": stranger.as_dict(private=False)}),
        "stranger with jku": signed(stranger, header={"jku": "http://127.0.0.1:9/jwks.json"}),
        "stranger with x5u": signed(stranger, header={"x5u": "http://127.0.0.1:9/cert"}),
        "unknown kid": signed(header={"kid": "other"}),
        "kid with path": signed(header={"kid": "../../dev/null"}),
        "no kid": signed(head_drop="kid"),
        "crit": f"{part({**head, 'crit': ['x'], 'x': 1})}.{raw[1]}.{raw[2]}",
        "b64 false": f"{part({**head, 'b64': False, 'crit': ['b64']})}.{raw[1]}.{raw[2]}",
        "typ missing": signed(head_drop="typ"),
        "typ JWT": signed(header={"typ": "JWT"}),
        "typ logout": signed(header={"typ": "logout+jwt"}),
        "iss": signed(iss="http://evil.test"),
        "iss with slash": signed(iss=body["iss"] + "/"),
        "iss list": signed(iss=[body["iss"]]),
        "no iss": signed(drop="iss"),
        "aud": signed(aud="other"),
        "aud list": signed(aud=["imghost", "other"]),
        "no aud": signed(drop="aud"),
        "no exp": signed(drop="exp"),
        "exp text": signed(exp=str(NOW + 999)),
        "exp true": signed(exp=True),
        "exp float": signed(exp=NOW + 999.5),
        "exp null": signed(exp=None),
        "no sub": signed(drop="sub"),
        "sub not an id": signed(sub="admin"),
        "sub number": signed(sub=1),
        "no workspace": signed(drop="workspace_id"),
        "other body": f"{raw[0]}.{part({**body, 'sub': str(uuid.UUID(int=9))})}.{signature}",
        "no signature": f"{raw[0]}.{raw[1]}.",
        "half a signature": f"{raw[0]}.{raw[1]}.{signature[:40]}",
        "flipped signature": f"{raw[0]}.{raw[1]}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}",
        "body not an object": f"{raw[0]}.{base64.urlsafe_b64encode(b'[]').decode()}.{signature}",
        "very long": token + "A" * 100_000,
        "not ascii": token + "\u00e9",
    }


def test_no_forged_token_is_accepted(settings: Any) -> None:
    """Of some fifty altered, re-signed and malformed tokens none is accepted, and none fails otherwise than by 401."""
    tokens = Tokens(settings)
    made = forgeries(settings)
    assert len(made) > 45
    for what, token in made.items():
        with pytest.raises(Unauthorized) as refused:
            tokens.read(token, now=NOW)
            pytest.fail(f"accepted: {what}")
        assert refused.value.code == "invalid_token", what


def test_a_token_with_any_changed_character_is_refused(settings: Any) -> None:
    """No single character of a token can be replaced; the last one's spare bits are checked too."""
    tokens = Tokens(settings)
    token, _ = tokens.issue(CLAIMS, now=NOW)
    accepted = []
    for position, character in enumerate(token):
        altered = token[:position] + ("A" if character != "A" else "B") + token[position + 1 :]
        try:
            tokens.read(altered, now=NOW)
        except Unauthorized:
            continue
        accepted.append(position)
    assert accepted in ([], [len(token) - 1])  # base64url of 64 bytes ends in four spare bits


def test_a_token_ends_in_time(settings: Any) -> None:
    """A token is good until the second it expires in, without leeway, and then says so."""
    tokens = Tokens(settings)
    token, lifetime = tokens.issue(CLAIMS, now=NOW)
    assert tokens.read(token, now=NOW + lifetime - 1) == CLAIMS
    with pytest.raises(Unauthorized) as raised:
        tokens.read(token, now=NOW + lifetime)
    assert raised.value.code == "token_expired"


async def test_the_public_keys_verify_our_tokens(api: httpx.AsyncClient) -> None:
    """/.well-known/jwks.json holds the public half only, and with it anybody can verify a token."""
    person = await register(api)
    response = await api.get("/.well-known/jwks.json")
    (key,) = response.json()["keys"]
    assert set(key) == {"kty", "crv", "x", "kid", "alg", "use"}
    verified = jwt.decode(person.registration["token"], KeySet.import_key_set(response.json()), algorithms=["Ed25519"])
    assert verified.claims["sub"] == person.id


async def test_a_bad_token_is_a_401(api: httpx.AsyncClient) -> None:
    """The route answers a forged token with a problem, on account and image routes alike."""
    for path in ("/api/v1/account", "/images"):
        problem(await api.get(path, headers={"Authorization": "Bearer a.b.c"}), 401, "invalid_token")
        problem(await api.get(path, headers={"Authorization": "Basic YTpi"}), 401, "unauthorized")


@pytest.mark.requirement("000-L8")
@pytest.mark.parametrize(
    "bad",
    [
        {"JWT_SECRET": "short"},
        {"JWT_PRIVATE_KEY": ""},
        {"JWT_PRIVATE_KEY": "not a key"},
        {"JWT_PRIVATE_KEY": RSAKey.generate_key(2048).as_pem(private=True).decode()},
        {"JWT_PRIVATE_KEY": OKPKey.generate_key("X25519").as_pem(private=True).decode()},
        {"JWT_PRIVATE_KEY": OKPKey.generate_key("Ed25519").as_pem(private=False).decode()},
        {"API_KEY_PEPPER": "short"},
        {"INTERNAL_TOKEN": "short"},
        {"AUTH_SERVER_URL": "not a url"},
        {"DATABASE_URL": None},
        {"MAX_UPLOAD_BYTES": "0"},
        {"STORE_ROOT": None},
    ],
    ids=lambda bad: "-".join(f"{name}={str(value)[:10]}" for name, value in bad.items()),
)
def test_the_server_refuses_unsafe_settings(
    tenant: TenantDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: dict[str, str | None]
) -> None:
    """A short secret or a wrong key stops the start with one line that names the setting and not its value."""
    for name, value in {**api_environment(tenant, tmp_path), **bad}.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        run()
    line = str(ended.value.code)
    assert line.startswith("imghost api-server: ")
    assert "\n" not in line
    assert next(iter(bad)) in line
    assert "canary" not in line
