"""Hourly limits: of the key, and of the plan for all keys and tokens of a workspace together."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from imghost_api.access.principal import Principal
from imghost_api.api_keys import queries
from imghost_api.db.engine import Session
from imghost_core.errors import TooManyRequests

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of one limit in this hour."""

    policy: Literal["key", "plan"]
    limit: int
    used: int
    reset: datetime

    @property
    def remaining(self) -> int:
        """Requests left."""
        return max(0, self.limit - self.used)


def hour_of(now: datetime) -> datetime:
    """The beginning of the hour of UTC that `now` is in."""
    return now.replace(minute=0, second=0, microsecond=0)


async def take(session: Session, principal: Principal, now: datetime) -> list[Allowance]:
    """Count this request against every limit it is under; raises `TooManyRequests`, and then nothing is counted.

    The caller's transaction must roll back on the error and end soon: it holds the counters' locks.
    """
    window = hour_of(now)
    limits: list[tuple[Literal["key", "plan"], int]] = [("plan", principal.limits.requests_per_hour)]
    if principal.key:
        limits.append(("key", min(principal.key.rate_limit_per_hour, principal.limits.requests_per_hour)))
    allowances = []
    for policy, limit in limits:
        subject = principal.key.id if principal.key and policy == "key" else principal.workspace_id
        used = await queries.take(session, subject, window, limit)
        if used is None:
            raise _exceeded(Allowance(policy, limit, limit, window + _HOUR), now)
        allowances.append(Allowance(policy, limit, used, window + _HOUR))
    return allowances


def headers(allowances: Sequence[Allowance], now: datetime) -> dict[str, str]:
    """`RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers) and the older `X-RateLimit-*`.

    The older ones, which know only one limit, tell of the one with least left; their reset is in seconds since 1970.
    """
    tightest = min(allowances, key=lambda allowance: allowance.remaining)
    return {
        "RateLimit-Policy": ", ".join(f'"{each.policy}";q={each.limit};w=3600' for each in allowances),
        "RateLimit": ", ".join(f'"{each.policy}";r={each.remaining};t={_seconds(each, now)}' for each in allowances),
        "X-RateLimit-Limit": str(tightest.limit),
        "X-RateLimit-Remaining": str(tightest.remaining),
        "X-RateLimit-Reset": str(int(tightest.reset.timestamp())),
    }


def _exceeded(allowance: Allowance, now: datetime) -> TooManyRequests:
    whose = "this API key" if allowance.policy == "key" else "your plan"
    return TooManyRequests(
        f"The limit of {allowance.limit} requests an hour of {whose} is used up. "
        "Wait until the next full hour (UTC), or raise the limit.",
        retry_after=_seconds(allowance, now),
        headers=headers([allowance], now),
    )


def _seconds(allowance: Allowance, now: datetime) -> int:
    return max(1, int((allowance.reset - now).total_seconds()) + 1)
