"""Images, their views, and what imaging may know of them."""

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Identity, Index, Integer, UniqueConstraint, false, func, text, true
from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import Base, Grant, Relation, WorkspaceRow
from imghost_core.contract.delivery import IMAGES_VIEW, VIEW_EVENT_COLUMNS, VIEW_EVENTS_TABLE

DELIVERY_VIEW = Relation(IMAGES_VIEW, (Grant("imaging", ("SELECT",)),))
"""All that imaging may read: one row per image that may be shown."""


class Image(WorkspaceRow, Base):
    """An uploaded image; its objects' keys follow from `workspace_id`, `id` and `sha256`."""

    __tablename__ = "images"
    __grants__ = (Grant("api", ("SELECT", "INSERT", "UPDATE")),)
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
    delivered_filter: Mapped[str | None] = mapped_column(comment="Filter that removed the metadata of the original")
    delivered_size: Mapped[int | None] = mapped_column(comment="Bytes it left; NULL when there was nothing to remove")
    views: Mapped[int] = mapped_column(server_default=text("0"))
    is_public: Mapped[bool] = mapped_column(server_default=true())
    blocked_at: Mapped[datetime | None]
    uploaded_at: Mapped[datetime] = mapped_column(server_default=func.now())
    deleted_at: Mapped[datetime | None]


class ViewEvent(Base):
    """One delivery, inserted by imaging; `counted` once it is in `images.views` and `usage_daily`.

    The bytes of every delivery count; `is_view` is false for the later parts of an image that is fetched in parts.
    """

    __tablename__ = VIEW_EVENTS_TABLE
    __grants__ = (
        Grant("api", ("SELECT", "UPDATE", "DELETE")),
        Grant("imaging", ("INSERT",), VIEW_EVENT_COLUMNS),
    )
    __table_args__ = (
        Index("ix_view_events_uncounted", "image_id", postgresql_where=text("NOT counted")),
        Index(None, "viewed_at"),
        # Imaging may be taken over by a file it decodes; what it then inserts is bounded here.
        CheckConstraint("char_length(variant) <= 16", name="variant"),
        CheckConstraint("bytes BETWEEN 0 AND 1099511627776", name="bytes"),
        CheckConstraint("status BETWEEN 100 AND 599", name="status"),
        CheckConstraint("char_length(referrer_host) <= 253", name="referrer_host"),
        CheckConstraint("char_length(user_agent) <= 256", name="user_agent"),
        CheckConstraint(
            "viewed_at BETWEEN '2020-01-01 00:00:00+00' AND '2100-01-01 00:00:00+00'",
            name="viewed_at",
        ),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    image_id: Mapped[uuid.UUID]
    viewed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    variant: Mapped[str | None]
    bytes: Mapped[int] = mapped_column(server_default=text("0"))
    status: Mapped[int] = mapped_column(Integer())
    is_view: Mapped[bool] = mapped_column(server_default=true())
    referrer_host: Mapped[str | None]
    user_agent: Mapped[str | None]
    counted: Mapped[bool] = mapped_column(server_default=false())
