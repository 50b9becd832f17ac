"""Metrics every server has; names follow `imghost_<area>_<noun>_<unit>` and OpenTelemetry's HTTP conventions."""

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

# Bucket advice of the OpenTelemetry semantic conventions for HTTP, in seconds.
HTTP_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)


class ConnectionMetrics:
    """Connections of one process, by listener: public or ops."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("imghost_connections_open", "Open connections", ["listener"], registry=registry)
        self.ended = Counter(
            "imghost_connections_ended_total",
            "Connections that were refused, or ended before their client closed them, by cause",
            ["listener", "cause"],
            registry=registry,
        )


class HttpMetrics:
    """Requests of one process, by method, route template and status; never by path, which would not be bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.connections = ConnectionMetrics(registry)
        self.duration = Histogram(
            "http_server_request_duration_seconds",
            "Time from the first byte of the request to the last of the response",
            ["method", "route", "status"],
            buckets=HTTP_BUCKETS,
            registry=registry,
        )
        self.active = Gauge("http_server_active_requests", "Requests in progress", registry=registry)
        self.errors = Counter(
            "imghost_http_errors_total", "Responses that are problem documents, by code", ["code"], registry=registry
        )


def new_registry() -> CollectorRegistry:
    """A registry for this process, with the standard metrics of the process and of Python."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    return registry


def render(registry: CollectorRegistry) -> tuple[bytes, str]:
    """The exposition text and its content type."""
    return generate_latest(registry), CONTENT_TYPE_LATEST
