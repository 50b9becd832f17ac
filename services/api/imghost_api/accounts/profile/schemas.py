"""Requests and responses of the profile."""

from typing import Self

from pydantic import Field, model_validator

from imghost_api.accounts.schemas import UserResource
from imghost_api.http.fields import Name, RequestModel, ResponseModel, Username


class AccountResponse(ResponseModel):
    """The account."""

    user: UserResource


class AccountChange(RequestModel):
    """The fields to change; fields left out keep their value."""

    first_name: Name = Field(default_factory=str)
    last_name: Name | None = None
    username: Username = Field(default_factory=str)

    @model_validator(mode="after")
    def require_a_field(self) -> Self:
        """Reject a change of nothing."""
        if not self.model_fields_set:
            raise ValueError("give at least one of first_name, last_name, username")
        return self
