"""Every metric of the imaging process beyond those of HTTP."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ImagingMetrics:
    """Ingest, rendering, slots and views of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ingest = Histogram(
            "imghost_imaging_ingest_seconds",
            "From an accepted ingest request to all variants stored, by outcome: ok or the refusal's code",
            ["outcome"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.render = Histogram(
            "imghost_imaging_render_seconds",
            "Time in libvips, by operation: ladder or variant",
            ["op"],
            buckets=_SECONDS,
            registry=registry,
        )
        self.rejects = Counter(
            "imghost_imaging_rejects_total", "Refused originals, by reason", ["reason"], registry=registry
        )
        self.busy = Gauge("imghost_imaging_slots_busy", "Slots at work now", registry=registry)
        self.queued = Gauge("imghost_imaging_slots_queued", "Requests waiting for a slot", registry=registry)
        self.overloads = Counter(
            "imghost_imaging_slots_refused_total", "Requests refused because the queue was full", registry=registry
        )
        self.restored = Counter(
            "imghost_imaging_variants_restored_total", "Lost variants made again on request", registry=registry
        )
        self.views_written = Counter("imghost_imaging_views_written_total", "View events stored", registry=registry)
        self.views_dropped = Counter(
            "imghost_imaging_views_dropped_total", "View events given up on: the buffer was full", registry=registry
        )
