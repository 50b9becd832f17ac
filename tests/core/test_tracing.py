import os
import subprocess
import sys

from support.collector import collecting

PROGRAM = """
from imghost_core import tracing
from imghost_core.settings import ServerSettings
from opentelemetry import trace

close = tracing.configure("api", ServerSettings())
with trace.get_tracer("test").start_as_current_span("upload-span"):
    pass
close()
"""


def test_spans_go_to_the_endpoint_when_one_is_set() -> None:
    """With an OTLP endpoint a span arrives there, named after the service and the tenant."""
    with collecting() as collector:
        run(OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint, TENANT="demo")
    assert collector.paths == ["/v1/traces"]
    assert [(span.service, span.tenant, span.name) for span in collector.spans] == [
        ("imghost-api", "demo", "upload-span")
    ]


def test_without_an_endpoint_nothing_is_sent() -> None:
    """Traces are off until an endpoint is given."""
    with collecting() as collector:
        run()
    assert collector.paths == []


def run(**environment: str) -> None:
    subprocess.run(
        [sys.executable, "-c", PROGRAM], env={"PATH": os.environ["PATH"], **environment}, check=True, timeout=60
    )
