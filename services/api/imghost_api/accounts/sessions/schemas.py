"""Requests and responses of sign-in."""

from typing import Annotated

from pydantic import BaseModel, Field

from imghost_api.http.fields import RequestModel, SecretText, Text


class Login(RequestModel):
    """An e-mail address or user name, and the password."""

    identifier: Annotated[Text, Field(min_length=1, max_length=254, description="E-mail address or user name")]
    password: Annotated[SecretText, Field(min_length=1, max_length=128)]


class JwksResponse(BaseModel):
    """Public keys that access tokens verify with (RFC 7517)."""

    keys: list[dict[str, str]]
