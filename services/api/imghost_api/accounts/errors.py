"""Failures of account names."""

from imghost_core.errors import Conflict, InvalidRequest


class EmailTaken(Conflict):
    """Another account has this e-mail address."""

    code, title = "email_taken", "E-mail address taken"
    advice = "Sign in to the existing account, or use another e-mail address."

    def __init__(self) -> None:
        detail = "An account with this e-mail address exists. Sign in, or use another."
        super().__init__(detail, errors=[{"field": "email", "message": detail}])


class UsernameTaken(Conflict):
    """Another account has this user name, in any case."""

    code, title = "username_taken", "User name taken"
    advice = "Choose another user name."

    def __init__(self) -> None:
        detail = "This user name is taken. Choose another one."
        super().__init__(detail, errors=[{"field": "username", "message": detail}])


class CommonPassword(InvalidRequest):
    """The password is one of those that guessing programs try first, or a name of the account."""

    code, title = "common_password", "Common password"
    advice = "Choose a password that is no common word, name or sequence; several words together are good."

    def __init__(self) -> None:
        detail = "This password is easy to guess. Choose one that is no common word, name or sequence."
        super().__init__(detail, errors=[{"field": "password", "message": detail}])
