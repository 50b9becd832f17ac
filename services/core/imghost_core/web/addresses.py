"""The address of a client, as limits count it.

The server puts the peer's address into the ASGI scope, or, for a peer among `trusted_proxies`, the rightmost address of
`X-Forwarded-For` that is not one of them. A client can forge only what is to the left of that.
"""

import ipaddress

from starlette.types import Scope

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
UNKNOWN = "unknown"
_IPV6_PREFIX = 64  # one customer of a provider has at least such a network, and so every address in it


def client_address(scope: Scope) -> str:
    """The address of the client of a request, as `count_as` has it."""
    return count_as((scope.get("client") or ("", 0))[0])


def count_as(host: str) -> str:
    """An IPv4 address as it is, an IPv6 address as its network of 64 bits; `UNKNOWN` for what is no address."""
    address = read_address(host)
    if address is None:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(ipaddress.ip_network((int(address), _IPV6_PREFIX), strict=False))


def read_address(host: str) -> Address | None:
    """The address that `host` is, an IPv4 address also if it is written inside IPv6; None for what is no address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped) or address
