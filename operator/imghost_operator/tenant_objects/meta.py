"""Names, labels and the owner of a tenant's objects."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Literal

from imghost_operator import crd
from imghost_operator.platform import Object

Component = Literal["api", "imaging", "migrate", "worker"]

MANAGER = "imghost-operator"
_PREFIX = "imghost-"
TENANT_LABEL = "imghost.dev/tenant"
COMPONENT_LABEL = "app.kubernetes.io/component"
APPLIED_ANNOTATION = "imghost.dev/applied"
BACKEND_ANNOTATION = "imghost.dev/backend"
"""Annotation of a store's Secret: a hash of the endpoint and bucket that its access key is for."""
CHECKSUM_ANNOTATION = "imghost.dev/config-checksum"
START_ANNOTATION = "imghost.dev/autoscaled-from"
"""Annotation of a Deployment with an autoscaler: the number of pods that it starts with."""
MANAGED = {"app.kubernetes.io/managed-by": MANAGER}
"""The label that every object of ours has, and the operator's caches select."""


def namespace_of(tenant: str) -> str:
    """The namespace that belongs to a tenant."""
    return f"{_PREFIX}{tenant}"


def tenant_of(namespace: str) -> str:
    """The tenant that a namespace belongs to, if it is a tenant's."""
    return namespace.removeprefix(_PREFIX)


@dataclass(frozen=True, slots=True)
class Owner:
    """The tenant that objects are made for: its name and uid."""

    name: str
    uid: str

    @property
    def namespace(self) -> str:
        return namespace_of(self.name)

    def labels(self, component: str | None = None) -> dict[str, str]:
        """Labels of an object, or of a component's object."""
        common = {"app.kubernetes.io/part-of": "imghost", **MANAGED, TENANT_LABEL: self.name}
        return common | (self.selector(component) if component else {})

    def selector(self, component: str) -> dict[str, str]:
        """Labels that find a component's pods. Immutable in a Deployment, so never to change."""
        return {
            "app.kubernetes.io/name": "imghost",
            "app.kubernetes.io/instance": self.name,
            COMPONENT_LABEL: component,
        }

    def build_object(
        self,
        api_version: str,
        kind: str,
        name: str,
        body: dict[str, Any],
        *,
        component: str | None = None,
        namespaced: bool = True,
    ) -> Object:
        """A complete object of this tenant; its content goes in `body`."""
        metadata = {
            "name": name,
            **({"namespace": self.namespace} if namespaced else {}),
            "labels": self.labels(component),
            "ownerReferences": [self.reference()],
        }
        return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}

    def reference(self) -> dict[str, Any]:
        """The ownerReference that makes the cluster delete an object together with its tenant."""
        return {
            "apiVersion": crd.API_VERSION,
            "kind": crd.KIND,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


def digest(value: Any, length: int = 16) -> str:
    """A short hash of any JSON value, the same for equal values."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def stamp(obj: Object) -> Object:
    """The object with the hash of itself as an annotation: a field that we stop sending then shows as a change."""
    metadata = obj["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED_ANNOTATION: digest(obj)}
    return {**obj, "metadata": {**metadata, "annotations": annotations}}
