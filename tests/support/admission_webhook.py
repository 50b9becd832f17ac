"""A mutating admission webhook, as policy engines and managed clusters have them, registered at a real API server."""

import base64
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from imghost_dev.certificates import Authority
from support.kubeapi import KubeApi
from support.processes import HOST

Mutate = Callable[[dict[str, Any]], list[dict[str, Any]]]
"""From an object to the JSON patch (RFC 6902) that the webhook makes of it."""
_NAME = "tests.imghost.dev"
_CONFIGURATIONS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


@contextmanager
def mutating(api: KubeApi, folder: Path, namespace: str, mutate: Mutate) -> Iterator[None]:
    """Deployments and Jobs of `namespace` go through `mutate` whenever they are written."""
    authority = Authority(folder)
    pair = authority.server(["localhost"], [HOST], "webhook")
    server = ThreadingHTTPServer((HOST, 0), _handler(mutate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    url = f"https://{HOST}:{server.server_address[1]}/"
    try:
        answer = api.request("POST", _CONFIGURATIONS, _configuration(url, authority.certificate, namespace))
        assert answer.status == 201, answer.body
        yield
    finally:
        api.request("DELETE", f"{_CONFIGURATIONS}/{namespace}")
        server.shutdown()
        thread.join()
        server.server_close()


def _configuration(url: str, authority: Path, namespace: str) -> dict[str, Any]:
    kinds = (("apps", "deployments"), ("batch", "jobs"))
    rules = [
        {"apiGroups": [group], "apiVersions": ["v1"], "resources": [kind], "operations": ["CREATE", "UPDATE"]}
        for group, kind in kinds
    ]
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": _NAME,
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "clientConfig": {"url": url, "caBundle": base64.b64encode(authority.read_bytes()).decode()},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "rules": rules,
            }
        ],
    }


def _handler(mutate: Mutate) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            patch = json.dumps(mutate(review["request"]["object"])).encode()
            review["response"] = {
                "uid": review["request"]["uid"],
                "allowed": True,
                "patchType": "JSONPatch",
                "patch": base64.b64encode(patch).decode(),
            }
            body = json.dumps({key: review[key] for key in ("apiVersion", "kind", "response")}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name of the base class
            """Say nothing."""

    return Handler
