"""Sign-ins in the database."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Row, case, delete, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from imghost_api.access.tables import Membership, User
from imghost_api.accounts.sessions.tables import LoginAttempt
from imghost_api.accounts.tables import KnownAddress
from imghost_api.db.engine import Session

_COLUMNS = (LoginAttempt.subject, LoginAttempt.failures, LoginAttempt.first_at)


@dataclass(frozen=True, slots=True)
class Failures:
    """Failed sign-ins of one subject, and when the window they count in began."""

    number: int
    since: datetime


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


async def is_known(session: Session, user_id: UUID, address: bytes) -> bool:
    """Whether the account has registered or signed in from this address, a keyed hash, before."""
    found = exists().where(KnownAddress.user_id == user_id, KnownAddress.address == address)
    return bool(await session.scalar(select(found)))


async def find_failures(session: Session, subjects: Iterable[bytes], window: timedelta) -> dict[bytes, Failures]:
    """The failed sign-ins of those subjects that have any in their window."""
    current = LoginAttempt.subject.in_(subjects), LoginAttempt.first_at >= func.now() - window
    return _by_subject(await session.execute(select(*_COLUMNS).where(*current)))


async def count_failures(session: Session, subjects: Sequence[bytes], window: timedelta) -> dict[bytes, Failures]:
    """Count one sign-in of each subject, until it is known to be none that failed; returns the counts with it.

    Rows are locked in the order of `subjects`, which has to be the same in all transactions.
    """
    expired = LoginAttempt.first_at < func.now() - window
    rows = [{"subject": subject, "failures": 1, "first_at": func.now()} for subject in subjects]
    count = (
        insert(LoginAttempt)
        .values(rows)
        .on_conflict_do_update(
            index_elements=[LoginAttempt.subject],
            set_={
                "failures": case((expired, 1), else_=LoginAttempt.failures + 1),
                "first_at": case((expired, func.now()), else_=LoginAttempt.first_at),
            },
        )
        .returning(*_COLUMNS)
    )
    return _by_subject(await session.execute(count))


async def forgive(session: Session, forgotten: bytes, reduced: Sequence[bytes]) -> None:
    """After a successful sign-in: delete the failures of one subject, and take one from each of the others."""
    await session.execute(delete(LoginAttempt).where(LoginAttempt.subject == forgotten))
    for subject in reduced:
        once = update(LoginAttempt).where(LoginAttempt.subject == subject, LoginAttempt.failures > 0)
        await session.execute(once.values(failures=LoginAttempt.failures - 1))


async def delete_expired_attempts(session: Session, window: timedelta) -> None:
    """Delete the counters whose window has ended."""
    await session.execute(delete(LoginAttempt).where(LoginAttempt.first_at < func.now() - window))


async def delete_unused_addresses(session: Session, retention: timedelta) -> None:
    """Delete the known addresses that were last used longer ago than `retention`."""
    await session.execute(delete(KnownAddress).where(KnownAddress.last_used_at < func.now() - retention))


def _by_subject(rows: Iterable[Row[*tuple[bytes, int, datetime]]]) -> dict[bytes, Failures]:
    return {row[0]: Failures(row[1], row[2]) for row in rows}
