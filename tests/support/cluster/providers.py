"""The three ways to get a cluster, by name."""

from support.cluster.existing import Existing
from support.cluster.kind import Kind
from support.cluster.local.provider import Local
from support.cluster.provider import Provider

PROVIDERS: dict[str, type[Provider]] = {"local": Local, "kind": Kind, "existing": Existing}
NAMES = tuple(PROVIDERS)


def find(name: str) -> Provider:
    """The provider of that name, for this checkout."""
    return PROVIDERS[name]()
