"""The plan's limits on uploads: checked, reserved, and reported."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from imghost_api.db.engine import Session
from imghost_api.plans import queries
from imghost_api.plans.errors import DailyLimitReached, StorageLimitReached
from imghost_api.plans.limits import PlanLimits
from imghost_api.plans.rate_limits import WINDOW, start_of_hour
from imghost_core.errors import HttpError


@dataclass(frozen=True, slots=True)
class CountUsage:
    """Use of a limit that counts, and when the count restarts."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def remaining(self) -> int:
        """How many are left."""
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class BytesUsage:
    """Use of a limit in bytes."""

    limit_bytes: int
    used_bytes: int

    @property
    def remaining_bytes(self) -> int:
        """How many bytes are left."""
        return max(0, self.limit_bytes - self.used_bytes)


@dataclass(frozen=True, slots=True)
class MonthlyBytesUsage(BytesUsage):
    """Use of a limit in bytes per month."""

    resets_at: datetime


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """Everything the plan limits."""

    plan: str
    uploads: CountUsage
    requests: CountUsage
    storage: BytesUsage
    bandwidth: MonthlyBytesUsage


async def check_quota(session: Session, workspace_id: UUID, limits: PlanLimits, *, size: int, now: datetime) -> None:
    """Reject early what cannot succeed. Only `reserve_quota` is exact; this saves the work of finding out late."""
    used = await queries.get_usage(session, workspace_id, now.date())
    if used.uploads >= limits.uploads_per_day:
        raise _daily_limit(limits, now)
    if used.storage + size > limits.storage_bytes:
        raise _storage_full(limits)


async def reserve_quota(session: Session, workspace_id: UUID, limits: PlanLimits, *, size: int, now: datetime) -> None:
    """Count an upload of `size` bytes in this transaction; raises what `check_quota` raises, exactly."""
    if not await queries.count_upload(session, workspace_id, now.date(), limits.uploads_per_day):
        raise _daily_limit(limits, now)
    if not await queries.add_storage(session, workspace_id, size, limits.storage_bytes):
        raise _storage_full(limits)


async def release_storage(session: Session, workspace_id: UUID, *, size: int) -> None:
    """Return the bytes of a deleted image. The day's upload count stays."""
    await queries.subtract_storage(session, workspace_id, size)


async def read_usage(session: Session, workspace_id: UUID, limits: PlanLimits, *, now: datetime) -> QuotaUsage:
    """Everything the plan limits, with what is used and what remains."""
    used = await queries.get_usage(session, workspace_id, now.date())
    hour = start_of_hour(now)
    requests = await queries.get_request_count(session, workspace_id, hour)
    return QuotaUsage(
        plan=limits.plan,
        uploads=CountUsage(limits.uploads_per_day, used.uploads, next_midnight(now)),
        requests=CountUsage(limits.requests_per_hour, requests, hour + WINDOW),
        storage=BytesUsage(limits.storage_bytes, used.storage),
        bandwidth=MonthlyBytesUsage(limits.bandwidth_bytes_per_month, used.bandwidth, next_month(now)),
    )


def limit_of(error: HttpError) -> str | None:
    """Which limit of the plan an error is about; None when it is about something else."""
    return error.code if isinstance(error, DailyLimitReached | StorageLimitReached) else None


def next_midnight(now: datetime) -> datetime:
    """The next midnight in UTC."""
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)


def next_month(now: datetime) -> datetime:
    """The start of the next month in UTC."""
    first = now.date().replace(day=1)
    return datetime.combine((first + timedelta(days=32)).replace(day=1), time(), UTC)


def _daily_limit(limits: PlanLimits, now: datetime) -> DailyLimitReached:
    wait = int((next_midnight(now) - now).total_seconds()) + 1
    return DailyLimitReached(limit=limits.uploads_per_day, plan=limits.plan, retry_after=wait)


def _storage_full(limits: PlanLimits) -> StorageLimitReached:
    return StorageLimitReached(limit_bytes=limits.storage_bytes, plan=limits.plan)
