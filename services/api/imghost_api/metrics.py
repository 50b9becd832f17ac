"""The metrics of this process other than those of HTTP."""

from prometheus_client import CollectorRegistry, Counter, Histogram

_BYTES = tuple(1024 * 4**step for step in range(1, 9))  # 4 KiB to 64 MiB


class ApiMetrics:
    """Uploads, refusals by limit, and background jobs."""

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
        self.jobs = Counter("imghost_jobs_total", "Background jobs run", ["job", "outcome"], registry=registry)
        self.orphans = Counter(
            "imghost_orphans_removed_total",
            "Images whose objects were deleted because they had no row",
            registry=registry,
        )
