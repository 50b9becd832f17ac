"""What goes in and out of registration and sign-in."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr

from imghost_api.accounts.profile.schemas import UserView
from imghost_api.api_keys.schemas import NewKeyView
from imghost_api.http.fields import Answer, Body, Email, Name, Password, Username


class Registration(Body):
    """A new account."""

    first_name: Name
    last_name: Name | None = None
    username: Username
    email: Email
    password: Password


class Login(Body):
    """An e-mail or user name, and the password."""

    identifier: Annotated[str, Field(min_length=1, max_length=254, description="E-mail or user name")]
    password: Annotated[SecretStr, Field(min_length=1, max_length=128)]


class TokenAnswer(Answer):
    """A signed-in user: send the token as `Authorization: Bearer <token>`."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name, not a secret
    expires_in: int = Field(description="Seconds")
    user: UserView


class RegisteredAnswer(TokenAnswer):
    """A new account with its first API key, shown this once."""

    api_key: NewKeyView


class KeySet(BaseModel):
    """Public keys that our access tokens verify with (RFC 7517)."""

    keys: list[dict[str, str]]
