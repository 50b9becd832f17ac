"""Passwords that guessing programs try first."""

import httpx
import pytest

from imghost_api.crypto.common_passwords import is_common
from support.api import names, problem


@pytest.mark.parametrize(
    "password",
    [
        "password", "PASSWORD", "Password1!", "p4ssw0rd", "P@$$w0rd", "12345678", "987654321", "1234567890123",
        "abcdefgh", "qwertyui", "1qaz2wsx", "aaaaaaaa", "        ", "abababab", "letmein123", "iloveyou",
        "!!!dragon!!!", "\uff50\uff41ssword", "adalovelace", "ada-1815", "ada-1815!!", "BabbageLtd", "babbageltd1",
        "yzabcdefghijklmnopqrstuvwxyzab", "zyxwvuts", "abzqabzq", "!?.,-_*#@",
    ],
)  # fmt: skip
def test_what_is_guessed_first_is_common(password: str) -> None:
    """Frequent words with or without decoration, sequences, few characters, and the user's own names."""
    assert is_common(password, "adalovelace", "ada-1815", "BabbageLtd")


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery staple",
        "canary password hen",
        "x9$kLmQ2",
        "drag0nfly-in-amber",
        "パスワードは秘密です",
        "abzqkabzqk",
    ],
)
def test_other_passwords_are_not(password: str) -> None:
    """Several words, eight random characters, and as few as five different ones, are accepted."""
    assert not is_common(password, "ada", "")


@pytest.mark.parametrize("field", ["username", "email"])
async def test_a_registration_with_one_is_refused(api: httpx.AsyncClient, field: str) -> None:
    """A common password, or one's own name as the password, is a 400 that names the field."""
    wanted = names()
    for password in ("password", wanted[field].partition("@")[0]):
        response = await api.post("/api/v1/auth/register", json={**wanted, "password": password})
        document = problem(response, 400, "common_password")
        assert [error["field"] for error in document["errors"]] == ["password"]
