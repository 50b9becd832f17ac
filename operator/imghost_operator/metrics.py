"""Every metric of the operator."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from imghost_core.metrics import new_registry

_RECONCILE_BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The operator's metrics, in a registry of their own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or new_registry()
        self.reconcile = Histogram(
            "imghost_operator_reconcile_seconds",
            "Time of one pass over one tenant",
            ["outcome"],
            buckets=_RECONCILE_BUCKETS,
            registry=self.registry,
        )
        self.api_requests = Counter(
            "imghost_operator_api_requests_total",
            "Kubernetes API requests; code is the HTTP status or the failure",
            ["verb", "kind", "code"],
            registry=self.registry,
        )
        self.field_conflicts = self._counter("field_conflicts", "Field conflicts with other managers", "kind")
        self.foreign_items = self._counter("foreign_items", "Foreign list items removed", "kind")
        self.unexpected_errors = self._counter("unexpected_errors", "Passes that failed by a defect of the operator")
        self.queue_depth = self._gauge("queue_depth", "Tenants waiting for a worker")
        self.passes_running = self._gauge("passes_running", "Passes under way")
        self.queue_oldest = self._gauge("queue_oldest_seconds", "Longest wait in the queue")
        self.watch_age = self._gauge("watch_age_seconds", "Time since a watch last returned anything", "kind")
        self.relists = self._counter("relists", "Full relists", "kind")
        self.backend_down = self._gauge("backend_down", "1 while a backend does not respond", "kind", "backend")
        self.secret_reloads = self._counter(
            "secret_reloads", "Mounted Secrets that changed; used, or refused", "kind", "backend", "outcome"
        )
        self.tenants = self._gauge("tenants", "Tenants known")
        self.leader = self._gauge("leader", "1 while this process leads")
        self.standing_by = self._gauge(
            "standing_by", "Other installations of this class that wait while this one leads"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"imghost_operator_{name}_total", text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"imghost_operator_{name}", text, labels, registry=self.registry)
