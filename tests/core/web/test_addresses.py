"""The address of a client, as limits count it."""

import pytest

from imghost_core.web.addresses import UNKNOWN, client_address


@pytest.mark.parametrize(
    ("host", "counted"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("not an address", UNKNOWN),
        ("192.0.2.1, 192.0.2.2", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_addresses_of_one_client_count_as_one(host: str, counted: str) -> None:
    """IPv4 by address, also inside IPv6; IPv6 by its network of 64 bits; everything else together."""
    assert client_address({"type": "http", "client": (host, 1)}) == counted


def test_a_socket_without_addresses_counts_as_unknown() -> None:
    """A peer without an address is one client."""
    assert client_address({"type": "http", "client": None}) == UNKNOWN
