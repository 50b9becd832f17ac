"""One service account for each component, without access to the Kubernetes API."""

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import PULL_SECRETS_ANNOTATION, REGISTRIES_SECRET
from imghost_operator.tenant_objects.meta import Component, Owner

COMPONENTS: tuple[Component, ...] = ("api", "imaging", "migrate", "worker")


def service_accounts(owner: Owner, spec: Spec, inputs: BuildInputs) -> list[Object]:
    """The service accounts. They name the pull secrets, so that new credentials restart no pod."""
    return [_account(owner, name, spec, inputs) for name in COMPONENTS]


def _account(owner: Owner, name: Component, spec: Spec, inputs: BuildInputs) -> Object:
    asked = [each.name for each in spec.image_pull_secrets]
    pulled = [*([REGISTRIES_SECRET] if inputs.release.registries else []), *asked]
    body = {
        "automountServiceAccountToken": False,
        **({"imagePullSecrets": [{"name": each} for each in pulled]} if pulled else {}),
    }
    made = owner.build_object("v1", "ServiceAccount", name, body, component=name)
    marks = {PULL_SECRETS_ANNOTATION: ",".join(asked)} if asked else {}
    if annotations := {**spec.service_account.annotations, **marks}:
        made["metadata"]["annotations"] = annotations
    return made
