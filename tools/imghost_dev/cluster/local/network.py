"""The link between this machine and the node: a veth pair with a small subnet that no other node uses."""

import json
import subprocess
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from imghost_dev.cluster.provider import ClusterError

RANGE = IPv4Network("10.213.0.0/16")
NODE_INTERFACE = "eth0"


def free_subnet(taken: Iterable[IPv4Network]) -> IPv4Network:
    """The first subnet of two hosts in RANGE that overlaps none of the taken networks."""
    others = [network for network in taken if network.overlaps(RANGE)]
    for subnet in RANGE.subnets(new_prefix=30):
        if not any(subnet.overlaps(other) for other in others):
            return subnet
    raise ClusterError(f"every subnet of {RANGE} is in use on this machine; free one, then try again")


def connect(pid: int, interface: str) -> tuple[IPv4Address, IPv4Address]:
    """Create the veth pair, with one end in the network namespace of process `pid`; returns our address and the node's.
    The kernel deletes it with the namespace, that is with the last process in it.
    """
    subnet = free_subnet(_networks_in_use())
    ours, nodes = list(subnet.hosts())
    _ip("link", "add", interface, "type", "veth", "peer", "name", NODE_INTERFACE, "netns", str(pid))
    _ip("address", "add", f"{ours}/{subnet.prefixlen}", "dev", interface)
    _ip("link", "set", interface, "up")
    inside = ("nsenter", f"--net=/proc/{pid}/ns/net")
    _ip("link", "set", "lo", "up", enter=inside)
    _ip("address", "add", f"{nodes}/{subnet.prefixlen}", "dev", NODE_INTERFACE, enter=inside)
    _ip("link", "set", NODE_INTERFACE, "up", enter=inside)
    # Nothing is forwarded there: service addresses need a route before they can be translated.
    _ip("route", "add", "default", "via", str(ours), enter=inside)
    return ours, nodes


def exists(interface: str) -> bool:
    """Whether this machine has the interface."""
    return any(link["ifname"] == interface for link in json.loads(_ip("-json", "link", "show")))


def remove(interface: str) -> None:
    """Delete the veth pair if it still exists."""
    if exists(interface):
        subprocess.run(["ip", "link", "delete", interface], capture_output=True, check=False)  # or already deleted


def _networks_in_use() -> Iterator[IPv4Network]:
    for route in json.loads(_ip("-4", "-json", "route", "show", "table", "all")):
        if route["dst"] != "default":
            yield IPv4Network(route["dst"], strict=False)


def _ip(*arguments: str, enter: tuple[str, ...] = ()) -> str:
    done = subprocess.run([*enter, "ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
