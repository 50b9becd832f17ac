"""Request and response of a registration."""

from imghost_api.accounts.schemas import TokenResponse
from imghost_api.api_keys.schemas import NewApiKeyResource
from imghost_api.http.fields import Email, Name, Password, RequestModel, Username


class Registration(RequestModel):
    """A new account."""

    first_name: Name
    last_name: Name | None = None
    username: Username
    email: Email
    password: Password


class RegisteredResponse(TokenResponse):
    """A new account with its first API key, which is shown only this once."""

    api_key: NewApiKeyResource
