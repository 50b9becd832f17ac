"""Hourly rate limits: of an API key, of the plan for all keys and tokens of a workspace together, and of strangers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from imghost_api.db.engine import Session
from imghost_api.plans import queries
from imghost_api.plans.errors import RateLimitReached

WINDOW = timedelta(hours=1)
Policy = Literal["key", "plan", "address", "service"]
_SCOPES: Final[Mapping[Policy, str]] = {
    "key": "this API key",
    "plan": "your plan",
    "address": "your network address",
    "service": "this service",
}


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit that a request counts against; `subject` is the id of a key or workspace, or stands for an address."""

    policy: Policy
    subject: UUID
    requests_per_hour: int


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """How far a limit is used in the current hour."""

    policy: Policy
    limit: int
    used: int
    reset: datetime

    @property
    def remaining(self) -> int:
        """Requests left."""
        return max(0, self.limit - self.used)


def start_of_hour(now: datetime) -> datetime:
    """The beginning of the hour (UTC) that contains `now`."""
    return now.replace(minute=0, second=0, microsecond=0)


async def count_request(session: Session, limits: Sequence[RateLimit], now: datetime) -> list[RateLimitStatus]:
    """Count a request against every limit; raises `RateLimitReached`, and then nothing is counted.

    The caller's transaction must roll back on the error and end soon: it holds the locks of the counters.
    """
    window = start_of_hour(now)
    reset = window + WINDOW
    statuses = []
    for limit in limits:
        used = await queries.count_request(session, limit.subject, window, limit.requests_per_hour)
        if used is None:
            raise _exceeded(RateLimitStatus(limit.policy, limit.requests_per_hour, limit.requests_per_hour, reset), now)
        statuses.append(RateLimitStatus(limit.policy, limit.requests_per_hour, used, reset))
    return statuses


def rate_limit_headers(statuses: Sequence[RateLimitStatus], now: datetime) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) and the older `X-RateLimit-*`.

    The older ones can express only one limit: the one with the fewest requests left; their reset is a Unix time.
    """
    tightest = min(statuses, key=lambda status: status.remaining)
    return {
        "RateLimit-Policy": ", ".join(f'"{status.policy}";q={status.limit};w=3600' for status in statuses),
        "RateLimit": ", ".join(
            f'"{status.policy}";r={status.remaining};t={_seconds_to_reset(status, now)}' for status in statuses
        ),
        "X-RateLimit-Limit": str(tightest.limit),
        "X-RateLimit-Remaining": str(tightest.remaining),
        "X-RateLimit-Reset": str(int(tightest.reset.timestamp())),
    }


def _exceeded(status: RateLimitStatus, now: datetime) -> RateLimitReached:
    return RateLimitReached(
        limit=status.limit,
        scope=_SCOPES[status.policy],
        retry_after=_seconds_to_reset(status, now),
        headers=rate_limit_headers([status], now),
    )


def _seconds_to_reset(status: RateLimitStatus, now: datetime) -> int:
    return max(1, int((status.reset - now).total_seconds()) + 1)
