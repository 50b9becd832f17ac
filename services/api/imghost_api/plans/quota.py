"""The plan's limits on uploads: refusals, and how much is left."""

from datetime import UTC, datetime, time, timedelta

from imghost_api.access.principal import Limits, Principal
from imghost_api.api_keys.queries import used_in
from imghost_api.db.engine import Session
from imghost_api.images.library import queries
from imghost_api.images.schemas import BandwidthQuota, BytesQuota, CountQuota, Quota
from imghost_api.plans.rate_limits import hour_of
from imghost_core.errors import ImghostError, PlanNeeded, TooManyRequests


async def require_room(session: Session, caller: Principal, *, size: int, now: datetime) -> None:
    """Refuse early what cannot succeed. Only `take_room` is exact; this saves the work of finding out late."""
    used = await queries.usage(session, caller.workspace_id, now.date())
    if used.uploads >= caller.limits.uploads_per_day:
        raise _daily_limit(caller.limits, now)
    if used.storage + size > caller.limits.storage_bytes:
        raise _storage_full(caller.limits)


async def take_room(session: Session, caller: Principal, *, size: int, now: datetime) -> None:
    """Count an upload of `size` bytes in this transaction; raises what `require_room` raises, exactly."""
    if not await queries.count_upload(session, caller.workspace_id, now.date(), caller.limits.uploads_per_day):
        raise _daily_limit(caller.limits, now)
    if not await queries.add_storage(session, caller.workspace_id, size, caller.limits.storage_bytes):
        raise _storage_full(caller.limits)


async def read(session: Session, caller: Principal, *, max_file: int, now: datetime) -> Quota:
    """Everything the plan limits, with what is used and what remains."""
    limits = caller.limits
    used = await queries.usage(session, caller.workspace_id, now.date())
    requests = await used_in(session, caller.workspace_id, hour_of(now))
    month = next_month(now)
    return Quota(
        plan=limits.plan,
        max_file_bytes=max_file,
        uploads=CountQuota(**_left(limits.uploads_per_day, used.uploads), period="day", resets_at=next_midnight(now)),
        requests=CountQuota(
            **_left(limits.requests_per_hour, requests), period="hour", resets_at=hour_of(now) + timedelta(hours=1)
        ),
        storage=BytesQuota(**_bytes_left(limits.storage_bytes, used.storage)),
        bandwidth=BandwidthQuota(**_bytes_left(limits.bandwidth_bytes_per_month, used.bandwidth), resets_at=month),
    )


def limit_of(error: ImghostError) -> str | None:
    """Which limit a refusal is about; None when it is about something else."""
    return error.code if error.code in {"daily_limit", "storage_quota_exceeded"} else None


def next_midnight(now: datetime) -> datetime:
    """The next midnight of UTC."""
    return datetime.combine(now.date() + timedelta(days=1), time(), UTC)


def next_month(now: datetime) -> datetime:
    """The first moment of the next month of UTC."""
    first = now.date().replace(day=1)
    return datetime.combine((first + timedelta(days=32)).replace(day=1), time(), UTC)


def _daily_limit(limits: Limits, now: datetime) -> TooManyRequests:
    reset = next_midnight(now)
    return TooManyRequests(
        f"The {limits.uploads_per_day} uploads a day of the plan '{limits.plan}' are used up. "
        "Uploads start again at midnight UTC; a larger plan has more.",
        code="daily_limit",
        retry_after=int((reset - now).total_seconds()) + 1,
    )


def _storage_full(limits: Limits) -> PlanNeeded:
    return PlanNeeded(
        f"The {limits.storage_bytes} bytes of storage of the plan '{limits.plan}' do not hold this picture as well. "
        "Delete some, or change the plan.",
        code="storage_quota_exceeded",
    )


def _left(limit: int, used: int) -> dict[str, int]:
    return {"limit": limit, "used": used, "remaining": max(0, limit - used)}


def _bytes_left(limit: int, used: int) -> dict[str, int]:
    return {"limit_bytes": limit, "used_bytes": used, "remaining_bytes": max(0, limit - used)}
