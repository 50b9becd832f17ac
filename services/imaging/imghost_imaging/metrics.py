"""The metrics of the imaging process beyond those of HTTP."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ImagingMetrics:
    """Ingest, rendering, the render queue and views of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ingest = Histogram(
            "imghost_imaging_ingest_seconds",
            "Time from an accepted ingest request to all renditions stored, by outcome: ok or the error code",
            ["outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.render = Histogram(
            "imghost_imaging_render_seconds",
            "Time in libvips, by operation: renditions (all of one original) or variant (one of them)",
            ["op"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.killed = Counter(
            "imghost_imaging_decoders_killed_total",
            "Decoders stopped without a result, by cause: memory, cpu, time, crash, or protocol (an invalid answer)",
            ["cause"],
            registry=registry,
        )
        self.fork_server_restarts = Counter(
            "imghost_imaging_fork_server_restarts_total", "Ends of the fork server of decoders", registry=registry
        )
        self.sandbox = Gauge(
            "imghost_imaging_sandbox_layer",
            "Whether decoders are restricted by this layer: limits, landlock, seccomp",
            ["layer"],
            registry=registry,
        )
        self.memory_budget = Gauge(
            "imghost_imaging_memory_budget_bytes",
            "Memory for images that are rendered in parallel",
            registry=registry,
        )
        self.memory_reserved = Gauge(
            "imghost_imaging_memory_reserved_bytes", "How much of it is reserved by estimates", registry=registry
        )
        self.rejects = Counter(
            "imghost_imaging_rejects_total", "Rejected originals, by error code", ["reason"], registry=registry
        )
        self.busy = Gauge("imghost_imaging_slots_busy", "Render slots in use", registry=registry)
        self.queued = Gauge("imghost_imaging_slots_queued", "Requests waiting for a render slot", registry=registry)
        self.overloads = Counter(
            "imghost_imaging_slots_rejected_total",
            "Requests rejected: the render queue was full or the wait for a slot timed out",
            registry=registry,
        )
        self.regenerated = Counter(
            "imghost_imaging_variants_regenerated_total",
            "Variants missing in the store that were rendered again on request",
            registry=registry,
        )
        self.views_written = Counter("imghost_imaging_views_written_total", "View events stored", registry=registry)
        self.views_dropped = Counter(
            "imghost_imaging_views_dropped_total",
            "View events dropped: the buffer was full or the database rejected them",
            registry=registry,
        )
