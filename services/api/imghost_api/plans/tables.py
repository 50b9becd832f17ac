"""The plan catalogue, workspaces with their usage, and the counters of rate limits."""

import uuid
from datetime import date, datetime

from sqlalchemy import CheckConstraint, ForeignKey, func, text
from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import API_READS, API_WRITES, Base, Grant, WorkspaceRow
from imghost_core.ids import uuid7


class Plan(Base):
    """What a workspace may use. Data, not code: prices and limits are rows (seeded by the first migration)."""

    __tablename__ = "plans"
    __grants__ = (API_READS,)
    __table_args__ = (CheckConstraint("bandwidth_policy IN ('wait', 'pay')", name="bandwidth_policy"),)

    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    price_cents: Mapped[int | None] = mapped_column(comment="US cents a month; NULL is on request")
    uploads_per_day: Mapped[int]
    requests_per_hour: Mapped[int]
    storage_bytes: Mapped[int]
    bandwidth_bytes_per_month: Mapped[int]
    bandwidth_policy: Mapped[str] = mapped_column(
        server_default=text("'wait'"),
        comment="Deliveries beyond the bandwidth: wait for the next month (429), or pay for a larger plan (402)",
    )
    max_file_bytes: Mapped[int]
    position: Mapped[int]


class Workspace(WorkspaceRow, Base):
    """A team, or one person: the owner of images, keys and a plan."""

    __tablename__ = "workspaces"
    __grants__ = (Grant("api", ("SELECT", "INSERT", "UPDATE")),)
    __workspace_column__ = "id"
    __table_args__ = (
        CheckConstraint("storage_used >= 0", name="storage_used"),
        CheckConstraint("metadata_policy IN ('strip', 'keep', 'owner')", name="metadata_policy"),
    )

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str]
    plan_code: Mapped[str] = mapped_column(ForeignKey("plans.code"))
    storage_used: Mapped[int] = mapped_column(server_default=text("0"), comment="Bytes of the live originals")
    suspended_at: Mapped[datetime | None]
    metadata_policy: Mapped[str | None] = mapped_column(comment="strip, keep or owner; NULL is the tenant's")
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class UsageDay(WorkspaceRow, Base):
    """What a workspace used on one day of UTC; also the counter that enforces uploads per day."""

    __tablename__ = "usage_daily"
    __grants__ = (Grant("api", ("SELECT", "INSERT", "UPDATE")),)

    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    uploads_count: Mapped[int] = mapped_column(server_default=text("0"))
    views_count: Mapped[int] = mapped_column(server_default=text("0"))
    bandwidth_used: Mapped[int] = mapped_column(server_default=text("0"))


class RateWindow(Base):
    """Requests of one key, workspace or address, in one hour of UTC."""

    __tablename__ = "rate_windows"
    __grants__ = (API_WRITES,)

    subject: Mapped[uuid.UUID] = mapped_column(primary_key=True, comment="Id of a key or of a workspace")
    window_start: Mapped[datetime] = mapped_column(primary_key=True, index=True)
    used: Mapped[int]
