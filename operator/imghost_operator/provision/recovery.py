"""The recovery Secret of a tenant: a second copy of all its credentials, in the operator's namespace.

It is what the tenant's own Secrets are written from. A value is generated only when the API server itself says that
neither copy exists: a cache that is behind, a changed label, a deleted Secret or namespace never replaces one. It
outlives a tenant that is deleted with `Retain`, so that a tenant created again keeps its API keys.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from imghost_operator.errors import PlatformRefused
from imghost_operator.platform import Object, ObjectRef, owned_by
from imghost_operator.provision import credentials
from imghost_operator.provision.credentials import Credentials
from imghost_operator.tenant_objects.meta import MANAGED, TENANT_LABEL, namespace_of

PREFIX = "imghost-recovery-"
_ROTATION, _DELIVERED, _RESTORED = (f"imghost.dev/{name}" for name in ("rotation-", "delivered-to", "restored"))


class Cluster(Protocol):
    """What is needed of a `Platform`."""

    @property
    def namespace(self) -> str: ...
    async def read(self, ref: ObjectRef) -> Object | None: ...
    async def create(self, obj: Object) -> Object: ...
    async def merge(self, live: Object, change: Object) -> Object: ...


@dataclass(frozen=True, slots=True)
class Recovered:
    """A tenant's credentials, where their second copy is, and what was restored from it.

    `restored_now` names the tenant's Secrets that this pass restores; `last_restored` says which were restored last,
    and when; empty if never.
    """

    credentials: Credentials
    ref: ObjectRef
    restored_now: tuple[str, ...] = ()
    last_restored: str = ""


class Recovery:
    """Reads, makes and changes recovery Secrets."""

    def __init__(self, cluster: Cluster, clock: Callable[[], datetime]) -> None:
        self._cluster, self._clock = cluster, clock

    def ref(self, tenant: str) -> ObjectRef:
        """The recovery Secret of a tenant."""
        return ObjectRef("Secret", self._cluster.namespace, f"{PREFIX}{tenant}")

    async def recover(
        self, tenant: str, uid: str, rotation: Mapping[str, str], live: Mapping[ObjectRef, Object]
    ) -> Recovered:
        """The credentials of a tenant. Makes no call when the recovery Secret is among `live` and nothing changed.

        `rotation` are the parts of `spec.credentials` that are set. Raises `PlatformDown`, `PlatformRefused`, and
        `StaleObject` when another client changed the recovery Secret at the same time.
        """
        ref = self.ref(tenant)
        try:
            return await self._recover(ref, tenant, uid, rotation, live)
        except PlatformRefused as error:
            raise PlatformRefused(
                f"The copy of the credentials, Secret {ref.namespace}/{ref.name}, cannot be used, so no credential is "
                f"made or changed: {error.detail} Run `helm upgrade` to restore the operator's rights to Secrets."
            ) from error

    async def _recover(
        self, ref: ObjectRef, tenant: str, uid: str, rotation: Mapping[str, str], live: Mapping[ObjectRef, Object]
    ) -> Recovered:
        stored = live.get(ref) or await self._cluster.read(ref)
        if stored is None:
            stored = await self._create(tenant, uid, rotation)
        values = credentials.read(stored)
        if missing := credentials.ENTRIES.keys() - values.keys():
            values |= await self._complete(tenant, uid, missing)
        rotated = {part: mark for part, mark in rotation.items() if _note(stored, _ROTATION + part) != mark}
        values |= credentials.generate(credentials.entries_of(rotated))
        notes = {_ROTATION + part: mark for part, mark in rotated.items()}
        wrong = _undelivered(tenant, values, live)
        restored: tuple[str, ...] = ()
        if rotated or missing:  # new values are yet to be written
            notes[_DELIVERED] = ""
        elif wrong and _note(stored, _DELIVERED):
            restored = wrong
            notes |= {_DELIVERED: "", _RESTORED: f"{', '.join(wrong)} at {self._clock():%Y-%m-%dT%H:%M:%SZ}"}
        elif not wrong and _note(stored, _DELIVERED) != uid:
            notes[_DELIVERED] = uid
        if notes or missing or not _labels(tenant).items() <= (stored["metadata"].get("labels") or {}).items():
            metadata = {"labels": _labels(tenant), "annotations": notes}
            stored = await self._cluster.merge(stored, {"metadata": metadata, "data": _encode(values)})
        return Recovered(credentials.to_credentials(values), ref, restored, _note(stored, _RESTORED))

    async def _create(self, tenant: str, uid: str, rotation: Mapping[str, str]) -> Object:
        values = await self._complete(tenant, uid, credentials.ENTRIES)
        ref = self.ref(tenant)
        notes = {_ROTATION + part: mark for part, mark in rotation.items()}
        metadata = {
            "name": ref.name,
            "namespace": ref.namespace,
            "labels": _labels(tenant),
            "annotations": notes,
        }
        return await self._cluster.create(
            {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": _encode(values)}
        )

    async def _complete(self, tenant: str, uid: str, names: Mapping[str, object] | set[str]) -> dict[str, str]:
        """Values for these entries: those in the tenant's own Secrets, read from the API server, else new ones."""
        found = {}
        for secret in sorted(credentials.SECRETS):
            obj = await self._cluster.read(ObjectRef("Secret", namespace_of(tenant), secret))
            if obj is not None and _is_ours(obj, uid):
                found[secret] = obj
        present = {name: value for name, value in credentials.read_secrets(found).items() if name in names}
        return present | credentials.generate(name for name in names if name not in present)


def _labels(tenant: str) -> dict[str, str]:
    return {"app.kubernetes.io/part-of": "imghost", **MANAGED, TENANT_LABEL: tenant}


def _undelivered(tenant: str, values: Mapping[str, str], live: Mapping[ObjectRef, Object]) -> tuple[str, ...]:
    """The tenant's Secrets that lack a value or have another one; a store without access keys needs none."""
    found = {
        name: live[ref]
        for name in credentials.SECRETS
        if (ref := ObjectRef("Secret", namespace_of(tenant), name)) in live
    }
    present = credentials.read_secrets(found)
    wrong = {
        entry.secret
        for name, entry in credentials.ENTRIES.items()
        if present.get(name) != values[name] and not (entry.part == "storage" and _has_no_key(found.get(entry.secret)))
    }
    return tuple(sorted(wrong))


def _has_no_key(storage: Object | None) -> bool:
    return storage is not None and not storage.get("data")


def _is_ours(secret: Object, uid: str) -> bool:
    return owned_by(secret, uid) or MANAGED.items() <= (secret["metadata"].get("labels") or {}).items()


def _note(secret: Object, annotation: str) -> str:
    return str((secret["metadata"].get("annotations") or {}).get(annotation, ""))


def _encode(values: Mapping[str, str]) -> dict[str, str]:
    return {name: base64.b64encode(value.encode()).decode() for name, value in sorted(values.items())}
