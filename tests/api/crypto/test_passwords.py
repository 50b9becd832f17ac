"""Passwords: hashed, verified, hashed again when the kind of the hash is old; bounded, and shared out fairly."""

import asyncio
from collections.abc import Iterator

import bcrypt
import pytest

from imghost_api.crypto.passwords import Passwords, Source
from imghost_core.contract.errors import Overloaded

PASSWORD = "correct horse battery staple"
SOURCE = Source("192.0.2.1", known=True)


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_matches_its_own_hash_only(passwords: Passwords) -> None:
    """The password matches, another one does not, and a current hash is not replaced."""
    stored = await passwords.hash(PASSWORD, SOURCE)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(PASSWORD, stored, SOURCE) == (True, None)
    assert await passwords.verify(PASSWORD + "r", stored, SOURCE) == (False, None)


async def test_an_account_without_a_password_never_matches(passwords: Passwords) -> None:
    """Without a stored hash nothing matches, also not the password whose hash stands in for it."""
    for password in (PASSWORD, "not the password of any account", ""):
        assert await passwords.verify(password, None, SOURCE) == (False, None)


@pytest.mark.parametrize("password", [PASSWORD, "x" * 72, "x" * 100])
async def test_an_older_hash_is_replaced_once_it_matched(passwords: Passwords, password: str) -> None:
    """A bcrypt hash still verifies, of its first 72 bytes as bcrypt does, and gives a new hash of the whole password;
    a wrong password gives none.
    """
    stored = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    assert await passwords.verify("wrong", stored, SOURCE) == (False, None)
    matches, renewed = await passwords.verify(password, stored, SOURCE)
    assert matches
    assert renewed is not None
    assert await passwords.verify(password, renewed, SOURCE) == (True, None)
    assert await passwords.verify(password + "r", renewed, SOURCE) == (False, None)


async def test_strangers_do_not_delay_known_sources() -> None:
    """With the queue of strangers full, a known source is verified before most of them, and one more is rejected."""
    passwords, done = Passwords(), list[str]()

    async def verify(name: str, *, known: bool = False) -> None:
        await passwords.verify("wrong", None, Source(name, known=known))
        done.append(name)

    try:
        flood = [asyncio.create_task(verify(f"stranger {n % 8}")) for n in range(64)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as rejected:
            await verify("one more")
        assert rejected.value.retry_after
        await verify("owner", known=True)
        assert done.index("owner") <= 16
        await asyncio.gather(*flood)
        assert len(done) == 65
    finally:
        passwords.close()


async def test_one_address_fills_its_share_only() -> None:
    """Of one source 16 wait; the next of it is rejected, and another source is not."""
    passwords = Passwords()
    try:
        flood = [asyncio.create_task(passwords.hash("x", Source("192.0.2.1"))) for _ in range(16)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await passwords.hash("x", Source("192.0.2.1"))
        assert (await passwords.hash("x", Source("192.0.2.2"))).startswith("$argon2id$")
        await asyncio.gather(*flood)
    finally:
        passwords.close()
