"""Claims of idempotency keys."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import API_WRITES, Base, WorkspaceRow


class IdempotencyKey(WorkspaceRow, Base):
    """One `Idempotency-Key` of a workspace: claimed by a running upload, or done with its response."""

    __tablename__ = "idempotency_keys"
    __grants__ = (API_WRITES,)

    workspace_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    claim: Mapped[uuid.UUID] = mapped_column(comment="Which upload holds it; a taken-over one cannot finish")
    claimed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reply: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True), comment="NULL while it runs")
    expires_at: Mapped[datetime] = mapped_column(index=True)
