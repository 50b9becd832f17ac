"""Password hashes: Argon2id for new ones, bcrypt still verified. Hashing runs in its own threads, never in the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from imghost_core.fair_queue import FairQueue

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1  # OWASP Password Storage sheet: Argon2id m=19 MiB, t=2, p=1
_BCRYPT_BYTES = 72  # bcrypt ignores the rest
# In a queue, waiting and running; a hash takes about 30 ms, so 64 wait about 2 s. The queue of known sources is longer,
# so that accounts which an attacker made cannot fill it: there the sources take turns.
_STRANGERS, _KNOWN = {"per_source": 16, "total": 64}, {"per_source": 8, "total": 512}
_REJECTION = "Too many sign-ins and registrations are waiting. Retry in a moment."
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Source:
    """Who asks for a hash. `known` sources have a queue of their own, which strangers cannot fill."""

    name: str
    known: bool = False


class Passwords:
    """Hashes and verifies in two threads, one for known sources and one for all others.

    Each has a bounded queue in which the sources take turns; `hash` and `verify` raise `Overloaded` when it is full.
    """

    def __init__(self) -> None:
        self._argon2 = Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._hasher = PasswordHash((self._argon2, BcryptHasher()))
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="passwords")
        self._queues = {
            known: FairQueue(1, **limits, rejection=_REJECTION)
            for known, limits in ((True, _KNOWN), (False, _STRANGERS))
        }
        self._dummy_hash = self._argon2.hash("not the password of any account")

    async def hash(self, password: str, source: Source) -> str:
        """The hash to store for `password`."""
        async with self._queues[source.known].turn(source.name):
            return await self._run(self._hasher.hash, password)

    async def verify(
        self, password: str, stored: str | None, source: Source, *, pause: float = 0.0
    ) -> tuple[bool, str | None]:
        """Whether `password` matches, and a new hash to store if the stored one is of an older kind.

        Without a stored hash the same work is done, so that timing does not reveal whether an account exists. `pause`
        is in seconds; it is spent before the password is looked at, and counts as waiting in the queue.
        """
        async with self._queues[source.known].turn(source.name, pause=pause):
            if stored is None:
                await self._run(self._hasher.verify, password, self._dummy_hash)
                return False, None
            matches = await self._run(self._hasher.verify, _prepare(password, stored), stored)
            outdated = matches and (_is_bcrypt(stored) or self._argon2.check_needs_rehash(stored))
            return matches, await self._run(self._hasher.hash, password) if outdated else None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)


def _prepare(password: str, stored: str) -> str | bytes:
    return password.encode()[:_BCRYPT_BYTES] if _is_bcrypt(stored) else password


def _is_bcrypt(stored: str) -> bool:
    return stored.startswith("$2")
