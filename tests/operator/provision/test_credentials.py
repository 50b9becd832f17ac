"""Generated secrets: how they are read from Secrets, and what counts as one."""

import base64

import pytest

from imghost_operator.build_inputs import Role
from imghost_operator.platform import Object
from imghost_operator.provision import credentials
from imghost_operator.tenant_contract import DATABASE_SECRETS
from imghost_operator.tenant_objects.secrets import values_of
from support.tenants import inputs

LONG = "a-value-that-is-long-enough-to-be-one/+%"


def secret(values: dict[str, str]) -> Object:
    return {
        "kind": "Secret",
        "data": {name: base64.b64encode(value.encode()).decode() for name, value in values.items()},
    }


def test_every_generated_value_is_read_back_from_the_secret_that_has_it() -> None:
    """What the tenant's Secrets are written with comes back, also a password that a URL has to quote."""
    values = dict.fromkeys(credentials.ENTRIES, LONG)
    known = credentials.to_credentials(values)
    urls: dict[Role, str] = {
        role: f"postgresql://r:{password.replace('%', '%25').replace('/', '%2F')}@db/d"
        for role, password in known.passwords.items()
    }
    found = {name: secret(dict.fromkeys(credentials.ENTRIES, LONG)) for name in credentials.SECRETS}
    found |= {DATABASE_SECRETS[role]: secret({"DATABASE_URL": url}) for role, url in urls.items()}
    assert credentials.read_secrets(found) == values
    assert values_of(inputs()).keys() == credentials.SECRETS


def test_short_missing_and_binary_values_do_not_count() -> None:
    """A value that was not generated here is treated as missing, and a URL without password too."""
    broken = {"data": {"API_KEY_PEPPER": "//79", "JWT_PRIVATE_KEY": "not base64"}}
    found = {
        "api-signing": broken,
        "internal": secret({"INTERNAL_TOKEN": "short"}),
        "database-api": secret({"DATABASE_URL": "postgresql://db/d"}),
    }
    assert credentials.read_secrets(found) == {}


@pytest.mark.parametrize(("length", "found"), [(31, set()), (32, {"API_KEY_PEPPER", "API_PASSWORD"})])
def test_a_value_counts_from_32_characters_on(length: int, found: set[str]) -> None:
    """The shortest value that counts is the same in the tenant's Secrets and in the recovery Secret."""
    value = "x" * length
    tenant = {
        "api-signing": secret({"API_KEY_PEPPER": value}),
        "database-api": secret({"DATABASE_URL": f"postgresql://r:{value}@db/d"}),
    }
    assert credentials.read_secrets(tenant).keys() == found
    assert credentials.read(secret({"API_KEY_PEPPER": value, "API_PASSWORD": value, "other": value})).keys() == found


def test_a_value_with_characters_outside_base64_does_not_count() -> None:
    """Characters that base64 does not have are not skipped; the other values of the Secret are still read."""
    whole = secret({"API_KEY_PEPPER": LONG, "JWT_PRIVATE_KEY": LONG})
    whole["data"]["API_KEY_PEPPER"] = "!" + whole["data"]["API_KEY_PEPPER"]
    assert credentials.read_secrets({"api-signing": whole}) == {"JWT_PRIVATE_KEY": LONG}


def test_what_was_just_written_comes_before_what_is_stored() -> None:
    """`stringData` wins over `data`, as in the API server; a Secret with neither has no values."""
    both = secret({"A": "stored", "B": "stored"}) | {"stringData": {"A": "written"}}
    assert credentials.decode(both) == {"A": "written", "B": "stored"}
    assert credentials.decode({"data": None, "stringData": None}) == credentials.decode({}) == {}


def test_a_part_replaces_its_own_entries() -> None:
    """Each part of `spec.credentials` stands for other entries, all together for all of them."""
    parts = {entry.part for entry in credentials.ENTRIES.values()}
    each = [credentials.entries_of([part]) for part in sorted(parts)]
    assert sorted(name for names in each for name in names) == sorted(credentials.ENTRIES)
    assert credentials.entries_of(["api_key_pepper"]) == ["API_KEY_PEPPER"]
    assert len(credentials.entries_of(["database"])) == 3


def test_generated_values_are_long_and_differ() -> None:
    """No two generated values are equal, and each is long enough to be read back."""
    made = credentials.generate(credentials.ENTRIES) | {
        f"{name}2": value for name, value in credentials.generate(credentials.ENTRIES).items()
    }
    assert len(set(made.values())) == 2 * len(credentials.ENTRIES)
    assert credentials.read(secret(made)).keys() == credentials.ENTRIES.keys()
