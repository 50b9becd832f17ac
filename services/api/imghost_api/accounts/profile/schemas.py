"""An account, as its owner sees and changes it."""

from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from imghost_api.http.fields import Answer, Body, Moment, Name, Username


class UserView(BaseModel):
    """A user, with the plan and the use of the workspace they act in."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    first_name: str
    last_name: str | None
    username: str
    email: str
    is_admin: bool
    is_verified: bool
    plan_type: str = Field(description="Code of the plan: free, basic, pro or enterprise as shipped")
    upload_limit_per_day: int
    storage_used: int = Field(description="Bytes")
    delete_scheduled_for: Moment | None
    created_at: Moment


class AccountAnswer(Answer):
    """The account."""

    user: UserView


class AccountChange(Body):
    """The fields to change; those left out stay as they are."""

    first_name: Name = Field(default_factory=str)
    last_name: Name | None = None
    username: Username = Field(default_factory=str)

    @model_validator(mode="after")
    def something(self) -> Self:
        """Refuse a change of nothing."""
        if not self.model_fields_set:
            raise ValueError("give at least one of first_name, last_name, username")
        return self
