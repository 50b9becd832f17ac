"""What a response says of rate limits."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest

from imghost_api.db.engine import Database
from imghost_api.plans.errors import RateLimitReached
from imghost_api.plans.rate_limits import RateLimit, RateLimitStatus, count_request, rate_limit_headers
from imghost_core.ids import uuid7

RESET = datetime(2026, 3, 1, 13, tzinfo=UTC)


@pytest.mark.parametrize(("before", "seconds"), [(timedelta(0), 1), (timedelta(seconds=1.5), 2)])
def test_headers_state_every_limit_and_the_tightest(before: timedelta, seconds: int) -> None:
    """The standard's headers list each limit; the older ones are about the limit with the fewest requests left. The
    time is never 0, so that a client does not retry too early.
    """
    statuses = [RateLimitStatus("plan", 10, 4, RESET), RateLimitStatus("key", 5, 3, RESET)]
    assert rate_limit_headers(statuses, RESET - before) == {
        "RateLimit-Policy": '"plan";q=10;w=3600, "key";q=5;w=3600',
        "RateLimit": f'"plan";r=6;t={seconds}, "key";r=2;t={seconds}',
        "X-RateLimit-Limit": "5",
        "X-RateLimit-Remaining": "2",
        "X-RateLimit-Reset": "1772370000",
    }


@pytest.mark.parametrize(
    ("policy", "scope"),
    [
        ("key", "this API key"),
        ("plan", "your plan"),
        ("address", "your network address"),
        ("service", "this service"),
    ],
)
async def test_a_refusal_says_which_limit_and_until_when(api: httpx.AsyncClient, policy: str, scope: str) -> None:
    """The last request of an hour is allowed and the next is refused, whatever other limits would still allow, with
    the name of the limit and the seconds that are left of the hour; the next hour begins at zero.
    """
    database: Database = api.public.state.context.database  # type: ignore[attr-defined]
    tight = RateLimit(policy, uuid7(), 1)  # type: ignore[arg-type]
    limits = [RateLimit("plan", uuid7(), 10), tight]
    now = RESET - timedelta(minutes=59, seconds=59.5)

    async def count(at: datetime) -> list[int]:
        async with database.transaction(UUID(int=0)) as session:
            return [status.remaining for status in await count_request(session, limits, at)]

    assert await count(now) == [9, 0]
    with pytest.raises(RateLimitReached) as refused:
        await count(now)
    assert refused.value.detail == (
        f"The limit of 1 requests per hour of {scope} is reached. "
        "Retry after the next full hour (UTC); the limit of a key or a plan can be raised."
    )
    assert refused.value.retry_after == 3600
    assert refused.value.headers["RateLimit"] == f'"{policy}";r=0;t=3600'
    assert refused.value.headers["X-RateLimit-Limit"] == "1"
    assert await count(RESET) == [9, 0]
    assert await count(now - timedelta(hours=1)) == [9, 0]
