"""Slows down the guessing of passwords, and gives strangers no way to lock an account out.

Failed sign-ins count by name and address, by name, by address, and in all. Each has a limit, except for an account at
an address that it has signed in from before: there the right password is never refused, only further guesses delayed.
Names count as they are sent, whether an account has them or not, so that a limit reveals neither.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from imghost_api.accounts.sessions import queries
from imghost_api.accounts.sessions.errors import TooManySignIns
from imghost_api.accounts.sessions.queries import Failures
from imghost_api.clock import Clock
from imghost_api.crypto.digests import Digest
from imghost_api.db.engine import Session

_ADDRESSES: Final = 10  # that one name may fail from up to the full, before it must wait everywhere it is not known
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0  # seconds; doubled with every failure in between


@dataclass(frozen=True, slots=True)
class ThrottleLimits:
    """Failed sign-ins in a window: with one name from one address, from one address, and from all of them."""

    per_name: int
    per_address: int
    in_all: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in, with the counters it counts in. `known`: the account has signed in from this address before."""

    pair: bytes
    shared: dict[bytes, int]
    known: bool


@dataclass(frozen=True, slots=True)
class Throttle:
    """Counts sign-ins in the database, so for all replicas together."""

    limits: ThrottleLimits
    digest: Digest
    clock: Clock

    def attempt(self, name: str, address: str, *, known: bool) -> Attempt:
        """What one sign-in counts in."""
        name = name.lower()
        shared = {
            self.digest(f"sign-in name {name}"): self.limits.per_name * _ADDRESSES,
            self.digest(f"sign-in address {address}"): self.limits.per_address,
            self.digest("sign-in"): self.limits.in_all,
        }
        return Attempt(self.digest(f"sign-in pair {address} {name}"), {} if known else shared, known)

    async def count(self, session: Session, attempt: Attempt) -> float:
        """Count before the password is verified: concurrent attempts are no way around the limits.

        Returns the seconds to pause. Raises `TooManySignIns`, and then nothing is counted.
        """
        limits = attempt.shared if attempt.known else {attempt.pair: self.limits.per_name, **attempt.shared}
        # Read first: a flood beyond the limits then writes nothing.
        self._require(await queries.find_failures(session, limits, self.limits.window), limits, before=1)
        counted = await queries.count_failures(session, [attempt.pair, *attempt.shared], self.limits.window)
        self._require(counted, limits, before=0)
        return _pause(counted[attempt.pair].number - self.limits.per_name) if attempt.known else 0.0

    async def forgive(self, session: Session, attempt: Attempt) -> None:
        """Undo the count of a sign-in that succeeded, and forget the failures of its name at its address."""
        await queries.forgive(session, attempt.pair, list(attempt.shared))

    def _require(self, found: dict[bytes, Failures], limits: dict[bytes, int], *, before: int) -> None:
        ends = [
            failures.since for subject, failures in found.items() if _exceeds(failures, limits.get(subject), before)
        ]
        if ends:
            raise TooManySignIns(self._seconds_left(max(ends)))

    def _seconds_left(self, since: datetime) -> int:
        return int((since + self.limits.window - self.clock()).total_seconds()) + 1


def _exceeds(failures: Failures, limit: int | None, before: int) -> bool:
    return limit is not None and failures.number + before > limit


def _pause(excess: int) -> float:
    """How long a guess waits at a known address; `excess` is the number of failures beyond the limit."""
    return min(_FIRST_PAUSE * 2.0 ** min(excess - 1, 8), _LONGEST_PAUSE) if excess > 0 else 0.0
