"""API keys as their owner sees them."""

from uuid import UUID

from pydantic import BaseModel, Field

from imghost_api.http.fields import Answer, Body, Moment, Name


class NewKey(Body):
    """A key to make."""

    key_name: Name
    rate_limit_per_hour: int | None = Field(
        None, ge=1, le=1_000_000, description="Requests an hour, at most the plan's; 1,000 or the plan's when left out"
    )


class KeyView(BaseModel):
    """A key without the key: enough to recognise it by."""

    id: UUID
    key_name: str
    prefix: str = Field(description="How the key begins")
    last_four: str = Field(description="How the key ends")
    is_active: bool
    rate_limit_per_hour: int
    requests_count: int
    last_used_at: Moment | None
    created_at: Moment


class NewKeyView(KeyView):
    """A new key. `key` is shown this once; only a keyed hash of it is kept."""

    key: str


class NewKeyAnswer(Answer):
    """The key that was made."""

    api_key: NewKeyView


class KeysAnswer(Answer):
    """Every key that works, newest first; there is no second page, the number of keys is bounded."""

    data: list[KeyView]
    has_more: bool = False
    next_cursor: str | None = None


class RevokedAnswer(Answer):
    """The key no longer works."""

    id: UUID
