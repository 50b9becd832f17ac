"""OpenTelemetry traces. Without an endpoint only the API package is imported, whose spans then do nothing."""

from collections.abc import Callable

from imghost_core.settings import ServerSettings


def configure(service: str, settings: ServerSettings) -> Callable[[], None]:
    """Export spans over OTLP/HTTP when an endpoint is set. Returns a function to call before the process ends."""
    if not settings.otel_exporter_otlp_endpoint:
        return lambda: None
    from opentelemetry import trace  # noqa: PLC0415
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(
        resource=Resource.create({"service.name": f"imghost-{service}", "imghost.tenant": settings.tenant})
    )
    endpoint = settings.otel_exporter_otlp_endpoint.rstrip("/") + "/v1/traces"
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    trace.set_tracer_provider(provider)
    return provider.shutdown
