"""Failures of API key management."""

from imghost_core.errors import Conflict, NotFound, Unprocessable


class RateLimitAbovePlan(Unprocessable):
    """The requested rate limit of the key is above that of the plan."""

    code, title = "rate_limit_above_plan", "Rate limit above the plan"
    advice = "Set a lower limit, or change to a larger plan."

    def __init__(self, *, plan: str, allowed: int) -> None:
        super().__init__(
            f"The plan '{plan}' allows at most {allowed} requests per hour. Set a lower limit, or change the plan.",
            errors=[{"field": "rate_limit_per_hour", "message": f"at most {allowed}"}],
        )


class TooManyApiKeys(Conflict):
    """The workspace has the maximum number of active API keys."""

    code, title = "too_many_keys", "Too many API keys"
    advice = "Revoke a key that is no longer used, then create the new one."

    def __init__(self, limit: int) -> None:
        super().__init__(f"A workspace has at most {limit} API keys. Revoke one first.")


class ApiKeyNotFound(NotFound):
    """The workspace has no active API key with this id."""

    code, title = "key_not_found", "API key not found"
    advice = "List the API keys of the workspace for their ids."

    def __init__(self) -> None:
        super().__init__("No active API key has this id. List your keys for their ids.")
