"""Failures of sign-in."""

from imghost_core.errors import Forbidden, TooManyRequests, Unauthorized


class InvalidCredentials(Unauthorized):
    """The e-mail address, the user name or the password is wrong; which of them is not disclosed."""

    code, title = "invalid_credentials", "Invalid credentials"
    advice = "Check the spelling of the name and the password."

    def __init__(self) -> None:
        super().__init__("Wrong e-mail address, user name or password.")


class NoWorkspace(Forbidden):
    """The account is not a member of any workspace."""

    code, title = "no_workspace", "No workspace"
    advice = "Ask an owner or admin of a workspace for an invitation."

    def __init__(self) -> None:
        super().__init__("This account is not a member of any workspace. Ask for an invitation.")


class TooManySignIns(TooManyRequests):
    """Too many sign-ins with one name, or from one address, failed within a short time."""

    code, title = "too_many_logins", "Too many failed sign-ins"
    advice = "Wait for the number of seconds in `Retry-After`, then sign in again."

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            "Too many sign-ins with this name, or from your network address, failed. Wait before the next attempt.",
            retry_after=retry_after,
        )
