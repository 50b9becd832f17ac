"""A local platform with a Deployment and a Service of small real servers, for tests."""

import sys
from typing import Any

import httpx

from imghost_local.platform import LocalPlatform
from imghost_local.pods import Pod
from imghost_local.state import State
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_objects import MANAGED, TENANT_LABEL

SERVER = """
import http.server, json, os, pathlib, signal, socketserver, sys, threading

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        sick = pathlib.Path("sick").exists()
        body = json.dumps({"pid": os.getpid(), "env": dict(os.environ), "cwd": os.getcwd()}).encode()
        self.send_response(503 if sick and self.path == "/readyz" else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        left, total = int(self.headers["Content-Length"]), 0
        while left:
            left -= len(self.rfile.read(min(left, 65536)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *args):
        print(self.path, flush=True)

class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
server.serve_forever()
"""
NAMESPACE = "imghost-demo"
PORT = 8080


def meta(name: str, **more: Any) -> Object:
    """Metadata of an object of the tenant `demo`."""
    return {"namespace": NAMESPACE, "name": name, "labels": {**MANAGED, TENANT_LABEL: "demo"}, **more}


def deployment(replicas: int = 1, colour: str = "red", code: str = SERVER) -> Object:
    """A Deployment of `code`, that sees `colour` in its environment."""

    def probe(path: str, failures: int) -> Object:
        return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1, "failureThreshold": failures}

    container = {
        "name": "web",
        "command": [sys.executable, "-c", code],
        "ports": [{"name": "http", "containerPort": PORT}],
        "envFrom": [{"configMapRef": {"name": "web"}}],
        "env": [
            {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            {"name": "COLOUR", "value": colour},
        ],
        "startupProbe": probe("/livez", 20),
        "readinessProbe": probe("/readyz", 1),
        "livenessProbe": probe("/livez", 2),
    }
    template = {
        "metadata": {"labels": {"app": "web"}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2},
    }
    rolling = {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    spec = {"replicas": replicas, "strategy": rolling, "template": template}
    return {"kind": "Deployment", "metadata": meta("web"), "spec": spec}


def job(code: str, backoff: int = 0, **more: Any) -> Object:
    """A Job that runs `code`, tried again `backoff` times."""
    container = {"name": "job", "command": [sys.executable, "-c", code]}
    template = {"metadata": {}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    return {"kind": "Job", "metadata": meta("job"), "spec": {"backoffLimit": backoff, "template": template, **more}}


CONFIG = {"kind": "ConfigMap", "metadata": meta("web"), "data": {"PORT": str(PORT)}}
SERVICE = {
    "kind": "Service",
    "metadata": meta("web"),
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
}


class LocalPlatformHarness:
    """A platform, and the changes that it reported."""

    def __init__(self, state: State) -> None:
        self.changes: list[str] = []
        self.platform = LocalPlatform(
            state.documents, pods=state.pods, logs=state.logs, asked_ports={}, on_change=self.changes.append
        )
        self.url = self.platform.endpoint(NAMESPACE, "web", "http", 80)

    async def serve(self, **how: Any) -> None:
        """Apply the Deployment, as `deployment` makes it, with its Service."""
        for obj in (CONFIG, SERVICE, deployment(**how)):
            await self.apply(obj)

    async def apply(self, obj: Object) -> None:
        """Apply an object over what is there."""
        await self.platform.apply(obj, self.platform.objects.get(ObjectRef.of(obj)))

    @property
    def pods(self) -> list[Pod]:
        """All pods of the tenant."""
        return [pod for _, pod in self.platform.pods(NAMESPACE)]

    @property
    def status(self) -> dict[str, Any]:
        """The Deployment's status; empty while there is none."""
        found = self.platform.objects.get(ObjectRef("Deployment", NAMESPACE, "web")) or {}
        return dict(found.get("status", {}))

    def is_ready(self, replicas: int) -> bool:
        """Whether this many pods are there, all new and ready."""
        counts = ("replicas", "updatedReplicas", "readyReplicas")
        return [self.status.get(name) for name in counts] == [replicas] * 3

    async def ask(self) -> dict[str, Any]:
        """What one of the servers says of itself, through the Service."""
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            response = await client.get(self.url)
            found: dict[str, Any] = response.json()
            return found
