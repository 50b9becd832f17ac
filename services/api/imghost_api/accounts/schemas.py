"""Accounts and access tokens in responses."""

from typing import Literal
from uuid import UUID

from pydantic import Field

from imghost_api.http.fields import Resource, ResponseModel
from imghost_core.timestamps import UtcDatetime


class UserResource(Resource):
    """A user, with the plan and the usage of the workspace they act in."""

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
    delete_scheduled_for: UtcDatetime | None
    created_at: UtcDatetime


class TokenResponse(ResponseModel):
    """A signed-in user: send the token as `Authorization: Bearer <token>`."""

    token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the scheme's name, not a secret
    expires_in: int = Field(description="Seconds")
    user: UserResource
