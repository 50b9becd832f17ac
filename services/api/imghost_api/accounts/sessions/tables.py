"""Failed sign-ins."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import API_WRITES, Base


class LoginAttempt(Base):
    """Failed sign-ins of a name, an address, both together, or all of them; `subject` is a keyed hash of it."""

    __tablename__ = "login_attempts"
    __grants__ = (API_WRITES,)

    subject: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(index=True)
