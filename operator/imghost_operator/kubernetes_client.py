"""The only module that talks to the Kubernetes API: dicts in, dicts out, failures as `imghost_operator.errors`.

One HTTP session for everything. Bodies are JSON that the YAML parser of server-side apply reads identically.
"""

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, NoReturn, Self

import aiohttp

from imghost_operator.api_resources import RESOURCES
from imghost_operator.errors import (
    FieldConflict,
    ListExpired,
    ObjectNotFound,
    PlatformDown,
    PlatformRefused,
    StaleObject,
)
from imghost_operator.kubeconfig import BadKubeconfig, Connection
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object

MANAGER = "imghost-operator"
WRITES_AT_ONCE = 16
CHUNK = 500
REQUEST_SECONDS = 10.0
WATCH_SILENCE_SECONDS = 70.0  # the server sends a bookmark about once a minute
_WATCH_SERVER_SECONDS = 1800
_PATIENCE = 3  # retries after a 429
_LONGEST_WAIT_SECONDS = 30.0
_TOKEN_SECONDS = 60.0

_ALL: Mapping[str, str] = {}

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


def _no_fence() -> None:
    """A fence that allows every write."""


class KubernetesClient:
    """One API server. `fence` is called before each write and raises when this process must not write."""

    def __init__(self, connection: Connection, metrics: Metrics, *, fence: Callable[[], None] = _no_fence) -> None:
        self._connection, self._metrics, self.fence = connection, metrics, fence
        self._session: aiohttp.ClientSession | None = None
        self._tls = connection.tls()
        self._writes = asyncio.Semaphore(WRITES_AT_ONCE)
        self._token: tuple[float, str | None] = (float("-inf"), None)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=0, keepalive_timeout=60),
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
            headers={"User-Agent": MANAGER, "Accept": JSON},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def get(self, kind: str, namespace: str, name: str) -> Object:
        """One object; raises `ObjectNotFound`."""
        return await self._read("get", kind, RESOURCES[kind].path(namespace, name))

    async def list(
        self,
        kind: str,
        *,
        namespace: str = "",
        selectors: Mapping[str, str] = _ALL,
    ) -> tuple[list[Object], str]:
        """All objects of a kind, in chunks, and the version of the list; raises `ListExpired` when that takes long.

        `selectors` are the query parameters `labelSelector` and `fieldSelector`.
        """
        found: list[Object] = []
        params = {"limit": str(CHUNK), **selectors}
        while True:
            page = await self._read("list", kind, RESOURCES[kind].path(namespace), params)
            api_version = RESOURCES[kind].api_version
            found += [{**item, "apiVersion": api_version, "kind": kind} for item in page.get("items") or ()]
            if not (token := page["metadata"].get("continue")):
                return found, str(page["metadata"]["resourceVersion"])
            params["continue"] = token

    async def watch(
        self, kind: str, version: str, *, namespace: str = "", selectors: Mapping[str, str] = _ALL
    ) -> AsyncIterator[tuple[str, Object]]:
        """Events after a version (ADDED, MODIFIED, DELETED, BOOKMARK) until the server ends the stream.

        Raises `ListExpired` when the version is too old, `PlatformDown` when the stream breaks or falls silent.
        """
        params = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SERVER_SECONDS),
            **selectors,
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=REQUEST_SECONDS, sock_read=WATCH_SILENCE_SECONDS)
        try:
            await self._authorize()
            async with self._request(
                "GET", RESOURCES[kind].path(namespace), params=params, timeout=timeout
            ) as response:
                self._count("watch", kind, response.status)
                self._check_login(response.status)
                if response.status != 200:  # noqa: PLR2004
                    _refuse("watch", kind, response, await _body(response))
                try:
                    async for line in _lines(response.content):
                        yield _event(kind, json.loads(line))
                finally:  # a graceful close would wait for the end of the stream
                    if response.connection and response.connection.transport:
                        response.connection.transport.abort()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._count("watch", kind, type(error).__name__)
            raise PlatformDown(f"The watch of {kind} broke ({type(error).__name__}); it is opened again.") from error

    async def apply(self, obj: Object, *, force: bool, manager: str = MANAGER) -> Object:
        """Server-side apply; raises `FieldConflict` without `force`. With `metadata.uid`, only onto that object."""
        metadata = obj["metadata"]
        path = RESOURCES[obj["kind"]].path(metadata.get("namespace", ""), metadata["name"])
        params = {"fieldManager": manager, "force": str(force).lower()}
        return await self._write("apply", obj["kind"], "PATCH", path, obj, APPLY, params)

    async def create(self, obj: Object) -> Object:
        """A new object; raises `StaleObject` if there is one."""
        path = RESOURCES[obj["kind"]].path(obj["metadata"].get("namespace", ""))
        return await self._write("create", obj["kind"], "POST", path, obj, JSON, {"fieldManager": MANAGER})

    async def replace(self, obj: Object) -> Object:
        """A new version of an object; raises `StaleObject` if it is no longer the version in `obj`."""
        metadata = obj["metadata"]
        path = RESOURCES[obj["kind"]].path(metadata.get("namespace", ""), metadata["name"])
        return await self._write("update", obj["kind"], "PUT", path, obj, JSON, {"fieldManager": MANAGER})

    async def patch(self, obj: Object, body: object, media_type: str, *, subresource: str = "") -> Object:
        """A JSON patch or merge patch of an object or its subresource; raises `StaleObject` if a test in it fails."""
        metadata = obj["metadata"]
        path = RESOURCES[obj["kind"]].path(metadata.get("namespace", ""), metadata["name"], subresource)
        return await self._write("patch", obj["kind"], "PATCH", path, body, media_type, {"fieldManager": MANAGER})

    async def delete(self, obj: Object) -> None:
        """Delete the object with this uid, then what it owns. Raises `ObjectNotFound`, `StaleObject`."""
        metadata = obj["metadata"]
        path = RESOURCES[obj["kind"]].path(metadata.get("namespace", ""), metadata["name"])
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": metadata["uid"]},
            "propagationPolicy": "Foreground" if obj["kind"] in {"Deployment", "Job"} else "Background",
        }
        await self._write("delete", obj["kind"], "DELETE", path, options, JSON, {})

    async def _read(
        self, verb: str, kind: str, path: str, params: Mapping[str, str] | None = None, accept: str = JSON
    ) -> Object:
        return await self._call(verb, kind, "GET", path, params=params or {}, headers={"Accept": accept})

    async def _write(
        self, verb: str, kind: str, method: str, path: str, body: object, media_type: str, params: Mapping[str, str]
    ) -> Object:
        request = {"params": params, "headers": {"Content-Type": media_type}, "data": _encode(body)}
        if kind == "Lease":  # written before anything else: the fence depends on it
            return await self._call(verb, kind, method, path, **request)
        async with self._writes:
            self.fence()
            return await self._call(verb, kind, method, path, **request)

    async def _call(self, verb: str, kind: str, method: str, path: str, **request: Any) -> Object:
        for attempt in range(_PATIENCE + 1):
            try:
                await self._authorize()
                async with self._request(method, path, **request) as response:
                    self._count(verb, kind, response.status)
                    self._check_login(response.status)
                    body = await _body(response)
                    if response.ok:
                        return body
                    if response.status != 429 or attempt == _PATIENCE:  # noqa: PLR2004
                        _refuse(verb, kind, response, body)
                    wait = min(float(response.headers.get("Retry-After", 1)), _LONGEST_WAIT_SECONDS)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self._count(verb, kind, type(error).__name__)
                raise PlatformDown(
                    f"The Kubernetes API did not respond ({verb} {kind}: {type(error).__name__}); this is tried again."
                ) from error
            await asyncio.sleep(wait)
        raise AssertionError("the last attempt returns or raises")

    async def _authorize(self) -> None:
        """Refresh the token: from the file once a minute, from a plugin when its last token expired."""
        if self._connection.plugin or time.monotonic() - self._token[0] > _TOKEN_SECONDS:
            try:
                self._token = (time.monotonic(), await self._connection.renew(self._tls))
            except BadKubeconfig as error:
                raise PlatformDown(f"The operator cannot log in: {error.detail}") from error

    def _check_login(self, status: int) -> None:
        if status == 401 and self._connection.plugin:  # noqa: PLR2004
            self._connection.plugin.forget()

    def _request(self, method: str, path: str, **request: Any) -> Any:
        if self._session is None:
            raise RuntimeError("use `async with KubernetesClient(...)`")
        headers = dict(request.pop("headers", {}))
        if self._token[1]:
            headers["Authorization"] = f"Bearer {self._token[1]}"
        return self._session.request(method, self._connection.server + path, headers=headers, **request)

    def _count(self, verb: str, kind: str, code: int | str) -> None:
        self._metrics.api_requests.labels(verb, kind, str(code)).inc()


def _encode(body: object) -> bytes:
    """JSON without what YAML reads differently: additional line breaks (U+2028 …) and escaped surrogates."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return re.sub("[\x7f-\uffff]", lambda found: f"\\u{ord(found[0]):04x}", text).encode()


async def _body(response: aiohttp.ClientResponse) -> Object:
    try:
        body = json.loads(await response.read() or b"{}")
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; the reader's own have a limit that a large object exceeds."""
    rest = b""
    async for chunk in content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def _event(kind: str, event: dict[str, Any]) -> tuple[str, Object]:
    body: Object = event["object"]
    if event["type"] != "ERROR":
        return event["type"], body
    if body.get("code") == 410:  # noqa: PLR2004
        raise ListExpired(f"The watch of {kind} is too far behind; the kind is listed again.")
    raise PlatformDown(f"The watch of {kind} ended with an error ({body.get('reason', 'unknown')}).")


def _refuse(verb: str, kind: str, response: aiohttp.ClientResponse, body: Object) -> NoReturn:
    """Raise the error that a failed response stands for."""
    what, reason = f"{verb} {kind}", str(body.get("reason") or response.reason)
    # The server may quote the value it refuses.
    text = "" if kind == "Secret" else str(body.get("message", ""))[:300]
    causes = (body.get("details") or {}).get("causes") or ()
    fields = {cause.get("field") for cause in causes}
    match response.status:
        case 404:
            raise ObjectNotFound(f"{what}: there is no such object.")
        case 409:
            managers = tuple(cause["message"] for cause in causes if cause.get("reason") == "FieldManagerConflict")
            if managers:
                raise FieldConflict(f"{what}: {len(managers)} fields belong to other managers.", managers)
            raise StaleObject(f"{what}: the object changed meanwhile ({reason}). {text}")
        case 410:
            raise ListExpired(f"{what}: the version asked for is no longer kept.")
        case 422 if JSON_PATCH in str(response.request_info.headers.get("Content-Type")) or "metadata.uid" in fields:
            raise StaleObject(f"{what}: the object changed meanwhile. {text}")
        case 401 | 408 | 429:
            raise PlatformDown(f"The Kubernetes API rate-limits the operator ({what}: {reason}).")
        case status if status >= 500:  # noqa: PLR2004
            raise PlatformDown(f"The Kubernetes API failed ({what}: {status} {reason}); this is tried again.")
        case status:
            raise PlatformRefused(f"The Kubernetes API refused {what} ({status} {reason}). {text}".strip())
