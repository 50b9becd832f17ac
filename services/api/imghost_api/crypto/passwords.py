"""Password hashes: Argon2id for new ones, bcrypt still verified. Hashing runs in its own threads, never in the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1  # OWASP Password Storage sheet: Argon2id m=19 MiB, t=2, p=1
_BCRYPT_BYTES = 72  # bcrypt ignores the rest
_T = TypeVar("_T")


class Passwords:
    """Hashes and verifies, in a bounded number of threads, so that sign-ins cannot use the whole machine."""

    def __init__(self, threads: int = 2) -> None:
        self._argon2 = Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)
        self._hasher = PasswordHash((self._argon2, BcryptHasher()))
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._dummy_hash = self._argon2.hash("not the password of any account")

    async def hash(self, password: str) -> str:
        """The hash to store for `password`."""
        return await self._run(self._hasher.hash, password)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether `password` matches, and a new hash to store if the stored one is of an older kind.

        Without a stored hash the same work is done, so that timing does not reveal whether an account exists.
        """
        if stored is None:
            await self._run(self._hasher.verify, password, self._dummy_hash)
            return False, None
        matches = await self._run(self._hasher.verify, _prepare(password, stored), stored)
        outdated = matches and (_is_bcrypt(stored) or self._argon2.check_needs_rehash(stored))
        return matches, await self.hash(password) if outdated else None

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _run(self, call: Callable[..., _T], *args: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)


def _prepare(password: str, stored: str) -> str | bytes:
    return password.encode()[:_BCRYPT_BYTES] if _is_bcrypt(stored) else password


def _is_bcrypt(stored: str) -> bool:
    return stored.startswith("$2")
