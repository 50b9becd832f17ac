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
