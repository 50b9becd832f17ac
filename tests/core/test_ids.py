import functools
import operator
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imghost_core import ids


def test_uuid7_has_its_version_variant_and_order() -> None:
    """Ids made later sort later, and carry the version and variant of RFC 9562."""
    made = [ids.uuid7() for _ in range(50)]
    assert {id_.version for id_ in made} == {7}
    assert {id_.variant for id_ in made} == {"specified in RFC 4122"}
    assert [id_.int >> 80 for id_ in made] == sorted(id_.int >> 80 for id_ in made)


def test_uuid7_is_the_time_and_then_random() -> None:
    """The first 48 bits are the milliseconds since 1970; ids of one millisecond differ in the 74 random bits alone."""
    before = time.time_ns() // 1_000_000
    made = [ids.uuid7() for _ in range(200)]
    after = time.time_ns() // 1_000_000
    assert all(before <= id_.int >> 80 <= after for id_ in made)
    assert len({id_.int & (1 << 62) - 1 for id_ in made}) == len(made)
    free = (1 << 80) - 1 & ~(0xF << 76) & ~(0x3 << 62)
    assert functools.reduce(operator.or_, (id_.int for id_ in made)) & free == free
    assert functools.reduce(operator.and_, (id_.int for id_ in made)) & free == 0


@pytest.mark.requirement("000-W7")
def test_public_ids_are_short_and_differ() -> None:
    """Public ids are short, of safe characters, and not the internal UUID."""
    made = {ids.public_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(len(id_) == ids.PUBLIC_ID_LENGTH and id_.isalnum() and id_.isascii() for id_ in made)


@pytest.mark.requirement("000-W3")
def test_api_keys_carry_prefix_and_checksum() -> None:
    """A key starts with ih_ and knows itself; one changed character is noticed without a look-up."""
    key = ids.api_key()
    assert key.startswith("ih_")
    assert ids.is_api_key(key)
    for place in range(3, len(key)):
        changed = key[:place] + ("a" if key[place] != "a" else "b") + key[place + 1 :]
        assert not ids.is_api_key(changed)


@given(st.text(max_size=60))
def test_malformed_api_keys_are_rejected(text: str) -> None:
    """Whatever else is sent as a key is refused, without an exception."""
    assert not ids.is_api_key(text)
    assert not ids.is_api_key("ih_" + text)
