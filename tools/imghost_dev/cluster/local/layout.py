"""The names, addresses and folders of one checkout's node."""

import hashlib
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

from imghost_dev.program_cache import cache

CHECKOUT = Path(__file__).parents[4]
NODE_NAME = "node"

# Both exist only inside the node's network namespace, so that every checkout can have the same.
PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
API_SERVICE = IPv4Address("10.96.0.1")
DNS_SERVICE = IPv4Address("10.96.0.10")
CLUSTER_DOMAIN = "cluster.local"
API_PORT = 6443


@dataclass(frozen=True)
class Layout:
    """Where one node keeps what; `id` differs between checkouts, and so does all that the machine sees of a node."""

    id: str
    state: Path

    @property
    def interface(self) -> str:
        """This machine's interface of the link to the node."""
        return f"imghost{self.id}"

    @property
    def cgroup(self) -> str:
        """The control group of all pods, below the root of each hierarchy."""
        return f"imghost-{self.id}"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Configuration files of the node's programs."""
        return self.state / "config"

    @property
    def log(self) -> Path:
        """The logs of the programs, one file each, the audit log, and the pods' logs below `pods/`."""
        return self.state / "log"

    @property
    def lib(self) -> Path:
        """The folder that is mounted as /var/lib in the node."""
        return self.state / "lib"


def of_this_checkout() -> Layout:
    """The layout of the node that belongs to the folder this file is in."""
    name = hashlib.sha256(str(CHECKOUT).encode()).hexdigest()[:6]
    return Layout(name, cache() / "clusters" / name)
