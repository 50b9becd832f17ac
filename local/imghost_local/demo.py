"""The first content of a new tenant: a user with a key, and a photograph, made through the public API."""

import secrets
from importlib.resources import files
from typing import Any

import httpx

from imghost_local.documents import Documents
from imghost_local.errors import UserError

PHOTOGRAPH = "hubble.jpg"
_TIMEOUT = 30.0


async def ensure(documents: Documents, tenant: str, urls: dict[str, str]) -> dict[str, Any]:
    """The first user, its key and its image: those remembered while the key still works, else new ones.

    Returns `{email, username, password, key}` and `image`, the reply of the upload, or `refusal`, why this tenant
    rejects the photograph (its limits may be small). Raises `UserError` when a retry may succeed.
    """
    name = f"credentials/{tenant}.json"
    known = documents.read(name)
    async with httpx.AsyncClient(timeout=_TIMEOUT, trust_env=False) as client:
        try:
            if not known.get("key") or not await _works(client, urls, known["key"]):
                known = await _register(client, urls, tenant)
                documents.write(name, known)
            if "image" not in known:
                known |= await _upload(client, urls, known["key"])
                documents.write(name, known)
        except httpx.HTTPStatusError as error:
            raise UserError(f"No first image yet: {_problem(error.response)}") from error
        except (httpx.HTTPError, KeyError, ValueError) as error:
            raise UserError(f"No first image yet: {type(error).__name__} {error}".rstrip()) from error
    return known


async def _works(client: httpx.AsyncClient, urls: dict[str, str], key: str) -> bool:
    response = await client.get(f"{urls['upload']}/upload/quota", headers={"X-API-Key": key})
    if response.status_code in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return False
    response.raise_for_status()
    return True


async def _register(client: httpx.AsyncClient, urls: dict[str, str], tenant: str) -> dict[str, Any]:
    suffix = secrets.token_hex(3)
    account = {
        "username": f"demo_{suffix}",
        "email": f"demo-{suffix}@example.com",
        "password": secrets.token_urlsafe(12),
    }
    names = {"first_name": "Demo", "last_name": tenant.capitalize()}
    created = await client.post(f"{urls['auth']}/api/v1/auth/register", json={**names, **account})
    created.raise_for_status()
    return {**account, "key": created.json()["api_key"]["key"]}


async def _upload(client: httpx.AsyncClient, urls: dict[str, str], key: str) -> dict[str, Any]:
    photograph = files("imghost_local").joinpath("samples", PHOTOGRAPH).read_bytes()
    response = await client.post(
        f"{urls['upload']}/upload",
        files={"file": (PHOTOGRAPH, photograph, "image/jpeg")},
        headers={"X-API-Key": key},
    )
    if response.is_client_error:
        return {"refusal": _problem(response)}
    response.raise_for_status()
    return {"image": response.json()["image"]}


def _problem(response: httpx.Response) -> str:
    """What the problem document says, or the status when there is none."""
    try:
        return f"{response.status_code} {response.json()['detail']}"
    except (ValueError, KeyError):
        return f"{response.request.url} responded with {response.status_code}"
