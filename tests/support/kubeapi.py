"""Plain requests to a Kubernetes API, for tests that care about the very answer."""

import http.client
import json
import ssl
from typing import Any, NamedTuple

import yaml

from support.kube import Kube

_PLURALS = {"NetworkPolicy": "networkpolicies"}


class Answer(NamedTuple):
    """Status, body and warnings of a reply."""

    status: int
    body: dict[str, Any]
    warnings: tuple[str, ...] = ()

    @property
    def messages(self) -> set[str]:
        """What a refusal says, one message each."""
        causes = self.body.get("details", {}).get("causes")
        if causes:
            return {f"{cause['field']}: {cause['message']}" for cause in causes}
        return {self.body["message"]}


class KubeApi:
    """One connection as administrator."""

    def __init__(self, kube: Kube) -> None:
        user = yaml.safe_load(kube.kubeconfig.read_text())["users"][0]["user"]
        trust = ssl.create_default_context(cafile=str(kube.ca))
        trust.load_cert_chain(user["client-certificate"], user["client-key"])
        host, port = kube.server.removeprefix("https://").rsplit(":", 1)
        self._connection = http.client.HTTPSConnection(host, int(port), context=trust, timeout=30)

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Answer:
        """Send one request."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": kind, "Accept": "application/json"}
        with self._send(method, path, data, headers) as reply:
            warnings = tuple(reply.headers.get_all("Warning", ()))
            return Answer(reply.status, json.loads(reply.read()), warnings)

    def _send(self, method: str, path: str, data: str | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        """Send on the connection that is there; on a new one if the server has closed it since."""
        try:
            self._connection.request(method, path, data, headers)
            return self._connection.getresponse()
        except (ConnectionError, ssl.SSLError):  # RemoteDisconnected, a ConnectionError, is no answer at all
            self._connection.close()
            self._connection.request(method, path, data, headers)
            return self._connection.getresponse()

    def create(self, obj: dict[str, Any], query: str = "fieldValidation=Strict") -> Answer:
        """Create an object as `kubectl create` does."""
        return self.request("POST", f"{collection(obj)}?{query}", obj)

    def apply(self, obj: dict[str, Any], query: str = "") -> Answer:
        """Server-side apply, as the operator does."""
        options = f"fieldManager=imghost-operator&force=true&fieldValidation=Strict{query}"
        path = f"{collection(obj)}/{obj['metadata']['name']}?{options}"
        return self.request("PATCH", path, obj, "application/apply-patch+yaml")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def collection(obj: dict[str, Any]) -> str:
    """The path of an object's collection."""
    version, kind = obj["apiVersion"], obj["kind"]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    namespace = obj["metadata"].get("namespace")
    plural = _PLURALS.get(kind, f"{kind.lower()}s")
    return f"{base}/namespaces/{namespace}/{plural}" if namespace else f"{base}/{plural}"
