"""Failed sign-ins."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from imghost_api.db.base import API_WRITES, Base


class LoginAttempt(Base):
    """Failed sign-ins of one account, or of one name without an account; `subject` is a hash of either."""

    __tablename__ = "login_attempts"
    __grants__ = (API_WRITES,)

    subject: Mapped[bytes] = mapped_column(primary_key=True)
    failures: Mapped[int]
    first_at: Mapped[datetime] = mapped_column(index=True)
