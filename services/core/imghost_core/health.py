"""The health report of every process: one JSON document, which names each check with `ok` or what is wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

OK = "ok"
RETRY_AFTER_SECONDS = 2


@dataclass(frozen=True)
class HealthReport:
    """The results of all checks, and the response that a probe sends for them."""

    checks: Mapping[str, str]

    @property
    def healthy(self) -> bool:
        """Every check passed."""
        return all(result == OK for result in self.checks.values())

    @property
    def status(self) -> int:
        """The HTTP status."""
        return 200 if self.healthy else 503

    @property
    def headers(self) -> dict[str, str]:
        """Headers in addition to the content type."""
        retry = {} if self.healthy else {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return {"Cache-Control": "no-store", **retry}

    @property
    def body(self) -> dict[str, object]:
        """The JSON body."""
        return {"status": OK if self.healthy else "unavailable", "checks": dict(self.checks)}
