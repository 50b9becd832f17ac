"""The three cluster providers, by name."""

from imghost_dev.cluster.existing import Existing
from imghost_dev.cluster.kind import Kind
from imghost_dev.cluster.local.provider import Local
from imghost_dev.cluster.provider import Provider

PROVIDERS: dict[str, type[Provider]] = {"local": Local, "kind": Kind, "existing": Existing}
NAMES = tuple(PROVIDERS)


def find(name: str) -> Provider:
    """The provider of that name, for this checkout."""
    return PROVIDERS[name]()
