"""Sign-ins in the database."""

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.access.tables import Membership, User
from imghost_api.accounts.sessions.tables import LoginAttempt
from imghost_api.db.engine import Session


async def find_user(session: Session, identifier: str) -> User | None:
    """The user with this e-mail address or user name, in any case. Only an e-mail address contains an @."""
    lowered = identifier.lower()
    matches = User.email == lowered if "@" in identifier else func.lower(User.username) == lowered
    user: User | None = await session.scalar(select(User).where(matches))
    return user


async def find_first_workspace(session: Session, user_id: UUID) -> UUID | None:
    """The workspace that a sign-in selects: the user's oldest."""
    workspace_id: UUID | None = await session.scalar(
        select(Membership.workspace_id).where(Membership.user_id == user_id).order_by(Membership.created_at).limit(1)
    )
    return workspace_id


async def store_password_hash(session: Session, user_id: UUID, password_hash: str) -> None:
    """Replace the hash of a user's password."""
    await session.execute(update(User).where(User.id == user_id).values(password_hash=password_hash))


async def count_attempt(session: Session, subject: bytes, window: timedelta) -> tuple[int, datetime]:
    """Count one sign-in attempt of `subject`; returns the number of attempts in its window and the window's start."""
    expired = LoginAttempt.first_at < func.now() - window
    count = (
        insert(LoginAttempt)
        .values(subject=subject, failures=1, first_at=func.now())
        .on_conflict_do_update(
            index_elements=[LoginAttempt.subject],
            set_={
                "failures": case((expired, 1), else_=LoginAttempt.failures + 1),
                "first_at": case((expired, func.now()), else_=LoginAttempt.first_at),
            },
        )
        .returning(LoginAttempt.failures, LoginAttempt.first_at)
    )
    failures, first_at = (await session.execute(count)).one()
    return failures, first_at


async def reset_attempts(session: Session, subject: bytes) -> None:
    """Forget the attempts of `subject`, after a successful sign-in."""
    await session.execute(delete(LoginAttempt).where(LoginAttempt.subject == subject))


async def delete_expired_attempts(session: Session, window: timedelta) -> None:
    """Delete the counters whose window has ended."""
    await session.execute(delete(LoginAttempt).where(LoginAttempt.first_at < func.now() - window))
