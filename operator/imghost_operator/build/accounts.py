"""A service account a component, none of which can talk to the Kubernetes API."""

from typing import Any

from imghost_operator.build.meta import Component, Owner
from imghost_operator.build.secrets import REGISTRIES
from imghost_operator.facts import Facts
from imghost_operator.platform import Object

COMPONENTS: tuple[Component, ...] = ("api", "imaging", "migrate")


def accounts(owner: Owner, facts: Facts) -> list[Object]:
    """The service accounts. Pods pull images with what these name, so that new credentials restart nothing."""
    body: dict[str, Any] = {"automountServiceAccountToken": False}
    if facts.release.registries:
        body["imagePullSecrets"] = [{"name": REGISTRIES}]
    return [owner.own("v1", "ServiceAccount", name, body, component=name) for name in COMPONENTS]
