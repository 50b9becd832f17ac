"""The metrics of this process other than those of HTTP."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LATENCY = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_BYTES = tuple(1024 * 4**step for step in range(1, 9))  # 4 KiB to 64 MiB


class ApiMetrics:
    """Uploads, and refusals by limit."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.uploads = Counter(
            "imghost_uploads_total",
            "Uploads by outcome: stored, replayed, or the code of the problem",
            ["outcome"],
            registry=registry,
        )
        self.upload_bytes = Histogram(
            "imghost_upload_size_bytes", "Size of the stored originals", buckets=_BYTES, registry=registry
        )
        self.upload_seconds = Histogram(
            "imghost_upload_duration_seconds", "Time from the first byte to the response", registry=registry
        )
        self.refusals = Counter(
            "imghost_quota_refusals_total", "Uploads rejected by a limit of the plan", ["limit"], registry=registry
        )


class JobMetrics:
    """What this worker ran, and what waits in the queues (the same figures in every worker)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.jobs = Counter(
            "imghost_jobs_total",
            "Background jobs run, by outcome: done or failed",
            ["job", "outcome"],
            registry=registry,
        )
        self.seconds = Histogram("imghost_job_duration_seconds", "Run time of one job", ["job"], registry=registry)
        self.waiting = Gauge("imghost_jobs_waiting", "Jobs due and not yet started", ["queue"], registry=registry)
        self.oldest = Gauge(
            "imghost_jobs_oldest_seconds", "How long the oldest due job has waited", ["queue"], registry=registry
        )
        self.failed = Gauge(
            "imghost_jobs_failed", "Jobs that used up their attempts and are kept for inspection", registry=registry
        )


class EventMetrics:
    """What this worker delivered, and what is still to be delivered (the same figures in every worker)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.deliveries = Counter(
            "imghost_events_deliveries_total",
            "Attempts to deliver an event, by outcome: done, failed or dead",
            ["subscriber", "outcome"],
            registry=registry,
        )
        self.latency = Histogram(
            "imghost_events_latency_seconds",
            "From the publication of an event to its delivery",
            ["subscriber"],
            buckets=_LATENCY,
            registry=registry,
        )
        self.pending = Gauge(
            "imghost_events_pending", "Events that a subscriber has not received", ["subscriber"], registry=registry
        )
        self.dead = Gauge(
            "imghost_events_dead",
            "Events whose delivery was given up; later events of the same subject wait for them",
            ["subscriber"],
            registry=registry,
        )
        self.lag = Gauge(
            "imghost_events_lag_seconds", "Age of the oldest pending event", ["subscriber"], registry=registry
        )
        self.unrouted = Gauge("imghost_events_unrouted", "Events that no dispatcher has seen", registry=registry)
        self.unrouted_age = Gauge(
            "imghost_events_unrouted_seconds", "Age of the oldest event that no dispatcher has seen", registry=registry
        )


class WorkerMetrics:
    """Jobs, events, and what the jobs did."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.jobs, self.events = JobMetrics(registry), EventMetrics(registry)
        self.orphans = Counter(
            "imghost_orphans_removed_total",
            "Images whose objects were deleted because they had no row",
            registry=registry,
        )
