"""The limits of a plan."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """What a plan allows: counts, and sizes in bytes."""

    plan: str
    uploads_per_day: int
    requests_per_hour: int
    storage_bytes: int
    bandwidth_bytes_per_month: int
    max_file_bytes: int
