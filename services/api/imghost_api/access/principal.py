"""The caller of a request: one type for every kind of credential."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Limits:
    """A plan's figures: counts, and sizes in bytes."""

    plan: str
    uploads_per_day: int
    requests_per_hour: int
    storage_bytes: int
    bandwidth_bytes_per_month: int
    max_file_bytes: int


@dataclass(frozen=True, slots=True)
class Key:
    """The API key a request came with."""

    id: UUID
    rate_limit_per_hour: int
    is_active: bool
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, in which workspace, by token (`key` is None) or by API key."""

    user_id: UUID
    workspace_id: UUID
    role: str
    limits: Limits
    is_blocked: bool
    is_suspended: bool
    key: Key | None = None
