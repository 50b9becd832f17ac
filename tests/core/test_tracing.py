import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

PROGRAM = """
from imghost_core import tracing
from imghost_core.settings import ServerSettings
from opentelemetry import trace

close = tracing.configure("api", ServerSettings())
with trace.get_tracer("test").start_as_current_span("upload-span"):
    pass
close()
"""


class Collector(ThreadingHTTPServer):
    """An OTLP receiver that keeps what it is sent."""

    received: list[tuple[str, bytes]]


class Receive(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Collector)
        self.server.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


@pytest.fixture
def collector() -> Iterator[Collector]:
    server = Collector(("127.0.0.1", 0), Receive)
    server.received = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_spans_go_to_the_endpoint_when_one_is_set(collector: Collector) -> None:
    """With an OTLP endpoint a span arrives there, named after the service and the tenant."""
    run(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://127.0.0.1:{collector.server_port}", TENANT="demo")
    (path, body), *_ = collector.received
    assert path == "/v1/traces"
    assert b"upload-span" in body
    assert b"imghost-api" in body
    assert b"demo" in body


def test_without_an_endpoint_nothing_is_sent(collector: Collector) -> None:
    """Traces are off until an endpoint is given."""
    run()
    assert collector.received == []


def run(**environment: str) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PATH": os.environ["PATH"], **environment}, check=True, timeout=60
    )
