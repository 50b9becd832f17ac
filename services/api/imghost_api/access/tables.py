"""Who may act where: users, memberships of workspaces, and API keys."""

import uuid
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import Base, Grant, WorkspaceRow
from imghost_core.ids import uuid7


class User(Base):
    """A person. `email` is stored in lower case; a NULL password means sign-in by a provider only."""

    __tablename__ = "users"
    __grants__ = (Grant("api", ("SELECT", "INSERT", "UPDATE")),)
    __table_args__ = (
        Index("uq_users_email", "email", unique=True),
        Index("uq_users_username", text("lower(username)"), unique=True),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    first_name: Mapped[str]
    last_name: Mapped[str | None]
    username: Mapped[str]
    email: Mapped[str]
    password_hash: Mapped[str | None]
    is_admin: Mapped[bool] = mapped_column(server_default=false())
    is_verified: Mapped[bool] = mapped_column(server_default=false())
    is_blocked: Mapped[bool] = mapped_column(server_default=false())
    delete_scheduled_for: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Membership(WorkspaceRow, Base):
    """Who may act in a workspace, and as what."""

    __tablename__ = "memberships"
    __grants__ = (Grant("api", ("SELECT", "INSERT")),)
    __table_args__ = (CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),)

    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(WorkspaceRow, Base):
    """A key of a member. The key itself is not here: only its HMAC, and enough of it to recognise it by."""

    __tablename__ = "api_keys"
    __grants__ = (Grant("api", ("SELECT", "INSERT", "UPDATE")),)
    __table_args__ = (
        UniqueConstraint("key_hmac"),
        ForeignKeyConstraint(
            ["workspace_id", "user_id"], ["memberships.workspace_id", "memberships.user_id"], ondelete="CASCADE"
        ),
        Index(None, "workspace_id", "created_at", "id"),
        CheckConstraint("rate_limit_per_hour > 0", name="rate_limit_per_hour"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    workspace_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    key_name: Mapped[str]
    prefix: Mapped[str]
    last_four: Mapped[str]
    key_hmac: Mapped[bytes]
    is_active: Mapped[bool] = mapped_column(server_default=true())
    rate_limit_per_hour: Mapped[int]
    scopes: Mapped[list[str]] = mapped_column(
        ARRAY(Text()),
        server_default=text("'{images:read,images:write,images:delete,quota:read}'"),
        comment="Permissions the key may use, at most those of its owner",
    )
    requests_count: Mapped[int] = mapped_column(server_default=text("0"), comment="Of the hours already folded in")
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
