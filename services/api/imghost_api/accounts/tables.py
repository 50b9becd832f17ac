"""Where accounts sign in from."""

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import API_WRITES, Base


class KnownAddress(Base):
    """An address that an account has registered or signed in from; its failed sign-ins never lock the account there."""

    __tablename__ = "known_addresses"
    __grants__ = (API_WRITES,)

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    address: Mapped[bytes] = mapped_column(primary_key=True, comment="Keyed hash: the address itself is not stored")
    last_used_at: Mapped[datetime] = mapped_column(server_default=func.now(), index=True)
