"""The outbox, who reads it, and what each reader has not received yet."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, Identity, Index, Integer, func, text
from sqlalchemy import false as sql_false
from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import API_WRITES, Base, Grant, WorkspaceRow


class OutboxEvent(WorkspaceRow, Base):
    """An event, inserted by the transaction in which it happened. `routed` once its deliveries are listed."""

    __tablename__ = "outbox"
    __grants__ = (API_WRITES,)
    __table_args__ = (
        Index("ix_outbox_unrouted", "id", postgresql_where=text("NOT routed")),
        Index("ix_outbox_type_id", "type", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    workspace_id: Mapped[uuid.UUID] = mapped_column(comment="No foreign key: events outlive their workspace")
    subject: Mapped[str] = mapped_column(comment="Events of one subject are numbered in the order of their commits")
    type: Mapped[str]
    version: Mapped[int] = mapped_column(Integer())
    payload: Mapped[dict[str, Any]]
    request_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    routed: Mapped[bool] = mapped_column(server_default=sql_false())


class EventSubscription(Base):
    """One type of event that a subscriber receives, of any release that ran here. Removed by a migration only."""

    __tablename__ = "event_subscriptions"
    __grants__ = (Grant("api", ("SELECT", "INSERT")),)

    subscriber: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class EventDelivery(WorkspaceRow, Base):
    """An event that a subscriber has not received yet; removed by the transaction that delivers it."""

    __tablename__ = "event_deliveries"
    __grants__ = (API_WRITES,)
    __table_args__ = (
        ForeignKeyConstraint(
            ["subscriber", "type"],
            ["event_subscriptions.subscriber", "event_subscriptions.type"],
            ondelete="CASCADE",
        ),
        Index(None, "subscriber", "event_id"),
        Index(None, "subscriber", "subject", "event_id"),
    )

    event_id: Mapped[int] = mapped_column(BigInteger(), ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True)
    subscriber: Mapped[str] = mapped_column(primary_key=True)
    workspace_id: Mapped[uuid.UUID]
    subject: Mapped[str]
    type: Mapped[str]
    version: Mapped[int] = mapped_column(Integer())
    published_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer(), server_default=text("0"))
    due_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None] = mapped_column(comment="Of the last attempt: a code or a type, never a value")
    dead_at: Mapped[datetime | None] = mapped_column(comment="Since when it is a dead letter")
