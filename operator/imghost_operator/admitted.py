"""What the cluster's admission webhooks make of the workloads that are written. Pure.

A webhook that rewrites images or sets resources does so on every write: to restore the field is no use, and to wait for
it keeps the migration after the rollout from ever starting. So what the API server answered to our own write is what is
expected from then on, until something else is built or the process starts again. Only of workloads: what protects
tenants (network policies, quotas, Secrets, namespaces) is never given up.
"""

from dataclasses import replace

from imghost_operator import diff
from imghost_operator.built_object import BuiltObject
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_objects.meta import APPLIED_ANNOTATION

_KINDS = frozenset({"Deployment", "Job"})


class Admitted:
    """The form in which the API server stored each workload that webhooks change."""

    def __init__(self) -> None:
        self._forms: dict[ObjectRef, Object] = {}

    def expect(self, built: BuiltObject, live: Object | None) -> BuiltObject:
        """`built` with the form in which it is known to be stored.

        What a Job does never changes, and its name says what that is; so whatever its spec has was made by admission.
        """
        if built.kind == "Job" and live is not None:
            spec = diff.adopt(built.manifest, live).get("spec", {})
            return replace(built, admitted={**built.manifest, "spec": spec})
        form = self._forms.get(built.ref)
        return replace(built, admitted=form) if form and _stamp(form) == _stamp(built.manifest) else built

    def note(self, built: BuiltObject, stored: Object) -> list[str]:
        """The fields of `built` that are different in the answer to writing it, as JSON pointers, if that is new."""
        self.discard(built.ref)
        if built.kind not in _KINDS or not (
            diff.changed(built.manifest, stored) or diff.foreign(built.manifest, stored)
        ):
            return []
        form = diff.adopt(built.manifest, stored)
        if built.kind == "Deployment":
            self._forms[built.ref] = form
        return [] if form == built.admitted else list(diff.differences(built.manifest, form))

    def discard(self, ref: ObjectRef) -> None:
        """Discard what is known of a deleted object."""
        self._forms.pop(ref, None)

    def forget(self, namespace: str) -> None:
        """Discard what is known of a deleted tenant's objects."""
        for ref in [ref for ref in self._forms if ref.namespace == namespace]:
            self.discard(ref)


def _stamp(manifest: Object) -> object:
    """What says which form was built; None when a webhook has removed it."""
    return manifest["metadata"].get("annotations", {}).get(APPLIED_ANNOTATION)
