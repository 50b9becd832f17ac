"""A small client of a tenant's API, as careful as a good program: what failed is sent once more, and no more often."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

JSON = dict[str, Any]
TRY_AGAIN = {httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT}
PAUSE = 5.0
"""Seconds: a killed pod is among a Service's endpoints for a few, and a dead upload holds its key for four."""


@dataclass(frozen=True)
class Account:
    """A registered user: what they sign in with, their token, their first key."""

    email: str
    password: str
    token: str
    key: str

    @property
    def headers(self) -> dict[str, str]:
        """Who we are, for uploads and the library."""
        return {"X-API-Key": self.key}


class Client:
    """Calls one tenant at its public addresses `urls` (auth, upload, view).

    `pause` is how many seconds pass before something is sent again; `again` says what was, and why.
    """

    def __init__(self, http: httpx.AsyncClient, urls: Mapping[str, str], pause: float = PAUSE) -> None:
        self.http, self.urls, self.pause = http, urls, pause
        self.again: list[str] = []

    async def send(self, method: str, url: str, **how: Any) -> httpx.Response:
        """The answer to a request, or to its one repetition after a pause, longer when the server asks for that.

        Repeated is what got no answer, or one that says "later". Raises httpx.TransportError when the repetition got
        none either.
        """
        try:
            response = await self.http.request(method, url, **how)
        except httpx.TransportError as error:
            why, pause = repr(error), self.pause
        else:
            if response.status_code not in TRY_AGAIN:
                return response
            why, pause = response.text, max(self.pause, float(response.headers.get("Retry-After", 0)))
        self.again.append(f"{method} {url}: {why}")
        await asyncio.sleep(pause)
        return await self.http.request(method, url, **how)

    async def register(self) -> Account:
        """A new user, who gets a token and a key."""
        unique = secrets.token_hex(5)
        names = {"first_name": "Ada", "last_name": "Lovelace", "username": f"ada_{unique}"}
        login = {"email": f"ada-{unique}@example.org", "password": secrets.token_urlsafe(16)}
        response = await self.send("POST", f"{self.urls['auth']}/api/v1/auth/register", json={**names, **login})
        assert response.status_code == httpx.codes.CREATED, response.text
        body = response.json()
        return Account(**login, token=body["token"], key=body["api_key"]["key"])

    async def login(self, account: Account) -> httpx.Response:
        """Sign in."""
        body = {"identifier": account.email, "password": account.password}
        return await self.send("POST", f"{self.urls['auth']}/api/v1/auth/login", json=body)

    async def new_key(self, account: Account) -> str:
        """One more key of the account."""
        response = await self.send(
            "POST",
            f"{self.urls['auth']}/api/v1/api-keys",
            json={"key_name": "one more"},
            headers={"Authorization": f"Bearer {account.token}"},
        )
        assert response.status_code == httpx.codes.CREATED, response.text
        return str(response.json()["api_key"]["key"])

    async def upload(self, account: Account, content: bytes, name: str = "image.jpg") -> httpx.Response:
        """Upload an image; a repetition cannot make a second one."""
        return await self.send(
            "POST",
            f"{self.urls['upload']}/upload",
            files={"file": (name, content, "application/octet-stream")},
            headers={**account.headers, "Idempotency-Key": secrets.token_hex(16)},
        )

    async def upload_or_fail(self, account: Account, content: bytes) -> JSON:
        """The image of an upload that must succeed."""
        response = await self.upload(account, content)
        assert response.status_code == httpx.codes.CREATED, response.text
        image: JSON = response.json()["image"]
        return image

    async def delete(self, account: Account, image: str) -> None:
        """Delete an image; a repetition may find it deleted."""
        response = await self.send("DELETE", f"{self.urls['upload']}/images/{image}", headers=account.headers)
        assert response.status_code == httpx.codes.OK or self.again, response.text

    async def view(self, url: str) -> httpx.Response:
        """An image or page, as a browser without a session."""
        return await self.send("GET", url)

    async def quota(self, account: Account) -> JSON:
        """What the account has used."""
        response = await self.send("GET", f"{self.urls['upload']}/upload/quota", headers=account.headers)
        assert response.status_code == httpx.codes.OK, response.text
        quota: JSON = response.json()["quota"]
        return quota
