"""Every table, as the migrations make it; a test keeps the two equal."""

import uuid
from datetime import date, datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    false,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from imghost_core.ids import uuid7

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Text is TEXT, whole numbers are BIGINT, times carry their zone."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        int: BigInteger(),
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB(),
    }


class Plan(Base):
    """What a workspace may use. Data, not code: prices and limits are rows (seeded by the first migration)."""

    __tablename__ = "plans"

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price_cents: Mapped[int | None] = mapped_column(comment="US cents a month; NULL is on request")
    uploads_per_day: Mapped[int]
    requests_per_hour: Mapped[int]
    storage_bytes: Mapped[int]
    bandwidth_bytes_per_month: Mapped[int]
    max_file_bytes: Mapped[int]
    position: Mapped[int]


class User(Base):
    """A person. `email` is stored in lower case; a NULL password means sign-in by a provider only."""

    __tablename__ = "users"
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


class Workspace(Base):
    """A team, or one person: the owner of images, keys and a plan."""

    __tablename__ = "workspaces"
    __table_args__ = (CheckConstraint("storage_used >= 0", name="storage_used"),)

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str]
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"))
    storage_used: Mapped[int] = mapped_column(server_default=text("0"), comment="Bytes of the live originals")
    suspended_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Membership(Base):
    """Who may act in a workspace, and as what."""

    __tablename__ = "memberships"
    __table_args__ = (CheckConstraint("role IN ('owner', 'admin', 'member', 'viewer')", name="role"),)

    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class ApiKey(Base):
    """A key of a member. The key itself is not here: only its HMAC, and enough of it to recognise it by."""

    __tablename__ = "api_keys"
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


class RateWindow(Base):
    """Requests of one key, or of one workspace, in one hour of UTC."""

    __tablename__ = "rate_windows"

    subject: Mapped[uuid.UUID] = mapped_column(primary_key=True, comment="Id of a key or of a workspace")
    window_start: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    used: Mapped[int]


class LoginAttempt(Base):
    """Failed sign-ins of one account, or of one name without an account; `subject` is a hash of either."""

    __tablename__ = "login_attempts"

    subject: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(index=True)


class Image(Base):
    """An uploaded image; its objects' keys follow from `workspace_id`, `id` and `sha256`."""

    __tablename__ = "images"
    __table_args__ = (
        UniqueConstraint("public_id"),
        CheckConstraint("file_size > 0", name="file_size"),
        Index(
            "ix_images_page",
            "workspace_id",
            text("uploaded_at DESC"),
            text("id DESC"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        Index("ix_images_deleted_at", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    public_id: Mapped[str]
    original_name: Mapped[str]
    mime_type: Mapped[str]
    format: Mapped[str]
    extension: Mapped[str]
    variant_extension: Mapped[str]
    file_size: Mapped[int]
    variant_bytes: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    frames: Mapped[int]
    sha256: Mapped[str]
    views: Mapped[int] = mapped_column(server_default=text("0"))
    is_public: Mapped[bool] = mapped_column(server_default=true())
    blocked_at: Mapped[datetime | None]
    uploaded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class UsageDay(Base):
    """What a workspace used on one day of UTC; also the counter that enforces uploads per day."""

    __tablename__ = "usage_daily"

    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    uploads_count: Mapped[int] = mapped_column(server_default=text("0"))
    views_count: Mapped[int] = mapped_column(server_default=text("0"))
    bandwidth_used: Mapped[int] = mapped_column(server_default=text("0"))


class IdempotencyKey(Base):
    """One `Idempotency-Key` of a workspace: claimed by a running upload, or done with its answer."""

    __tablename__ = "idempotency_keys"

    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    claim: Mapped[uuid.UUID] = mapped_column(comment="Which upload holds it; a taken-over one cannot finish")
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reply: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), comment="NULL while it runs")
    expires_at: Mapped[datetime] = mapped_column(index=True)


class ViewEvent(Base):
    """One delivery, inserted by imaging; `counted` once it is in `images.views` and `usage_daily`."""

    __tablename__ = "view_events"
    __table_args__ = (
        Index("ix_view_events_uncounted", "image_id", postgresql_where=text("NOT counted")),
        Index(None, "viewed_at"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    image_id: Mapped[uuid.UUID]
    viewed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    variant: Mapped[str | None]
    bytes: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[int] = mapped_column(Integer())
    referrer_host: Mapped[str | None]
    user_agent: Mapped[str | None]
    counted: Mapped[bool] = mapped_column(server_default=false())
