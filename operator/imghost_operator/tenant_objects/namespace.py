"""The tenant's namespace, closed to pods that are not Pod Security "restricted"."""

from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner

ENFORCED = {"pod-security.kubernetes.io/enforce": "restricted"}
"""The label that makes a namespace enforce Pod Security."""

_LEVELS = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
_VERSIONS = {f"{level}-version": "latest" for level in _LEVELS}


def namespace(owner: Owner, spec: Spec) -> Object:
    """The namespace, with the tenant's display name as an annotation."""
    made = owner.build_object("v1", "Namespace", owner.namespace, {}, namespaced=False)
    made["metadata"]["labels"] |= _LEVELS | _VERSIONS
    if spec.display_name:
        made["metadata"]["annotations"] = {"imghost.dev/display-name": spec.display_name}
    return made
