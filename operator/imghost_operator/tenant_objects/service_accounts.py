"""One service account for each component, without access to the Kubernetes API."""

from typing import Any

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import REGISTRIES_SECRET
from imghost_operator.tenant_objects.meta import Component, Owner

COMPONENTS: tuple[Component, ...] = ("api", "imaging", "migrate", "worker")


def service_accounts(owner: Owner, inputs: BuildInputs) -> list[Object]:
    """The service accounts. They name the pull secrets, so that new credentials restart no pod."""
    body: dict[str, Any] = {"automountServiceAccountToken": False}
    if inputs.release.registries:
        body["imagePullSecrets"] = [{"name": REGISTRIES_SECRET}]
    return [owner.build_object("v1", "ServiceAccount", name, body, component=name) for name in COMPONENTS]
