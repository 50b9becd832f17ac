"""A service account a component, none of which can talk to the Kubernetes API."""

from imghost_operator.build.meta import Component, Owner
from imghost_operator.platform import Object

COMPONENTS: tuple[Component, ...] = ("api", "imaging", "migrate")


def accounts(owner: Owner) -> list[Object]:
    """The service accounts."""
    return [
        owner.own("v1", "ServiceAccount", name, {"automountServiceAccountToken": False}, component=name)
        for name in COMPONENTS
    ]
