"""Failures of tokens."""

from imghost_core.errors import Unauthorized


class InvalidToken(Unauthorized):
    """The access token is not one of this service, or its account no longer exists."""

    code, title = "invalid_token", "Invalid access token"
    advice = "Sign in again and use the new access token."

    def __init__(self, detail: str = "The access token is not valid. Sign in again.") -> None:
        super().__init__(detail)


class TokenExpired(Unauthorized):
    """The access token is older than its lifetime."""

    code, title = "token_expired", "Access token expired"
    advice = "Sign in again and use the new access token."

    def __init__(self) -> None:
        super().__init__("The access token has expired. Sign in again.")
