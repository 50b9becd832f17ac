"""Passwords: hashed, verified, and hashed again when the kind of the hash is old."""

from collections.abc import Iterator

import bcrypt
import pytest

from imghost_api.crypto.passwords import Passwords

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def passwords() -> Iterator[Passwords]:
    made = Passwords()
    yield made
    made.close()


async def test_a_password_matches_its_own_hash_only(passwords: Passwords) -> None:
    """The password matches, another one does not, and a current hash is not replaced."""
    stored = await passwords.hash(PASSWORD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(PASSWORD, stored) == (True, None)
    assert await passwords.verify(PASSWORD + "r", stored) == (False, None)


async def test_an_account_without_a_password_never_matches(passwords: Passwords) -> None:
    """Without a stored hash nothing matches, also not the password whose hash stands in for it."""
    for password in (PASSWORD, "not the password of any account", ""):
        assert await passwords.verify(password, None) == (False, None)


@pytest.mark.parametrize("password", [PASSWORD, "x" * 72, "x" * 100])
async def test_an_older_hash_is_replaced_once_it_matched(passwords: Passwords, password: str) -> None:
    """A bcrypt hash still verifies, of its first 72 bytes as bcrypt does, and gives a new hash of the whole password;
    a wrong password gives none.
    """
    stored = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()
    assert await passwords.verify("wrong", stored) == (False, None)
    matches, renewed = await passwords.verify(password, stored)
    assert matches
    assert renewed is not None
    assert await passwords.verify(password, renewed) == (True, None)
    assert await passwords.verify(password + "r", renewed) == (False, None)
