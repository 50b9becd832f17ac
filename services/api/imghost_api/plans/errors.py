"""Limits of the plan that are reached."""

from collections.abc import Mapping

from imghost_core.errors import PlanLimitExceeded, TooManyRequests


class DailyLimitReached(TooManyRequests):
    """The plan's uploads of this day (UTC) are used."""

    code, title = "daily_limit", "Daily upload limit reached"
    advice = "Retry after midnight UTC, or change to a larger plan."

    def __init__(self, *, limit: int, plan: str, retry_after: int) -> None:
        super().__init__(
            f"The limit of {limit} uploads per day of the plan '{plan}' is reached. "
            "Retry after midnight UTC, or change to a larger plan.",
            retry_after=retry_after,
        )


class StorageLimitReached(PlanLimitExceeded):
    """The image would exceed the plan's storage."""

    code, title = "storage_quota_exceeded", "Storage limit reached"
    advice = "Delete images, or change to a larger plan."

    def __init__(self, *, limit_bytes: int, plan: str) -> None:
        super().__init__(
            f"This image would exceed the storage limit of {limit_bytes} bytes of the plan '{plan}'. "
            "Delete images, or change to a larger plan."
        )


class RateLimitReached(TooManyRequests):
    """The requests per hour of an API key, of the plan, or of an address without an account, are used."""

    code, title = "rate_limited", "Rate limit reached"
    advice = "Wait for the number of seconds in `Retry-After`. The limit of a key or a plan can be raised."

    def __init__(self, *, limit: int, scope: str, retry_after: int, headers: Mapping[str, str]) -> None:
        super().__init__(
            f"The limit of {limit} requests per hour of {scope} is reached. "
            "Retry after the next full hour (UTC); the limit of a key or a plan can be raised.",
            retry_after=retry_after,
            headers=headers,
        )
