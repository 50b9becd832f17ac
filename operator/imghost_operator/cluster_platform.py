"""A Kubernetes cluster as the platform of `reconcile`."""

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from imghost_core import logs
from imghost_core.errors import ImghostError
from imghost_operator import autoscaling, crd, diff, tenant_objects
from imghost_operator.errors import FieldConflict, ObjectNotFound, StaleObject, TenantGone
from imghost_operator.informer import Informer
from imghost_operator.kubernetes_client import JSON_PATCH, MERGE_PATCH, KubernetesClient
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object, ObjectRef, check_owner
from imghost_operator.reasons import Reason

REPORTER = "imghost.dev/operator"
_EVENT_NAMESPACE = "default"  # where events about cluster-scoped objects go
_SAME_EVENT_SECONDS = 600.0
_MOST_EVENTS = 1000

_log = logs.get("imghost.operator.kubernetes")


class ClusterPlatform:
    """The `Platform` of a cluster: reads from the cache, writes through the API. `noted` gets each tenant written."""

    enforces = tenant_objects.KINDS

    def __init__(
        self,
        cluster: KubernetesClient,
        cache: Informer,
        metrics: Metrics,
        identity: str,
        noted: Callable[[Object], None],
        *,
        namespace: str,
    ) -> None:
        self._cluster, self._cache, self._metrics = cluster, cache, metrics
        self.namespace = namespace
        self._identity, self._noted = identity, noted
        self._posted: dict[tuple[str, str, str], float] = {}
        self._conflicts: dict[ObjectRef, float] = {}

    @property
    def makes_namespaces(self) -> bool:
        return not self._cache.is_limited

    def children(self, tenant: str) -> dict[ObjectRef, Object]:
        self._cache.check_namespace(tenant)
        return self._cache.children(tenant)

    def endpoint(self, namespace: str, service: str, port_name: str, port: int) -> str:  # noqa: ARG002 - DNS has no names of ports
        return f"http://{service}.{namespace}.svc:{port}"

    async def read(self, ref: ObjectRef) -> Object | None:
        try:
            return await self._cluster.get(*ref)
        except ObjectNotFound:
            return None

    async def create(self, obj: Object) -> Object:
        stored = await self._cluster.create(obj)
        self._cache.put_local(stored)
        return stored

    async def merge(self, live: Object, change: Object) -> Object:
        expected = {key: live["metadata"][key] for key in ("uid", "resourceVersion")}
        body = {**change, "metadata": {**change.get("metadata", {}), **expected}}
        try:
            stored = await self._cluster.patch(live, body, MERGE_PATCH)
        except ObjectNotFound as error:
            raise StaleObject("The object was deleted meanwhile.") from error
        self._cache.put_local(stored)
        return stored

    async def apply(self, desired: Object, live: Object | None) -> Object:
        live = live or await self._read_unseen(desired)
        if live is None or diff.changed(desired, live):
            live = await self._apply(desired, live)
            _log.info("applied", kind=live["kind"], object=live["metadata"]["name"], tenant=_owner(desired)["name"])
        if pointers := diff.foreign(desired, live):
            live = await self._remove_items(live, pointers)
        self._cache.put_local(live)
        return live

    async def delete(self, live: Object) -> None:
        _log.info("deleting", kind=live["kind"], object=live["metadata"]["name"])
        with suppress(ObjectNotFound):
            await self._cluster.delete(live)

    async def write_status(self, tenant: Object, status: Mapping[str, Any]) -> None:
        body = {
            "metadata": {"uid": tenant["metadata"]["uid"]},
            "status": _replacing(tenant.get("status") or {}, status),
        }
        self._noted(await self._patch_tenant(tenant, body, MERGE_PATCH, "status"))

    async def set_finalizers(self, tenant: Object, finalizers: list[str]) -> None:
        old = tenant["metadata"].get("finalizers")
        body = [
            {"op": "test", "path": "/metadata/uid", "value": tenant["metadata"]["uid"]},
            {"op": "test", "path": "/metadata/finalizers", "value": old},
            {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
        ]
        stored = await self._patch_tenant(tenant, body, JSON_PATCH)
        if finalizers or not stored["metadata"].get("deletionTimestamp"):  # else this was the last we see of it
            self._noted(stored)

    async def event(self, tenant: Object, kind: Literal["Normal", "Warning"], reason: Reason, message: str) -> None:
        owner = {key: tenant["metadata"][key] for key in ("name", "uid")}
        await self._event(owner, kind, reason, message)

    async def _read_unseen(self, desired: Object) -> Object | None:
        """An object that is not in the cache may exist: without our label, or newer than the cache."""
        found = await self.read(ObjectRef.of(desired))
        if found is not None:
            check_owner(found, _owner(desired)["uid"])
        return found

    async def _apply(self, desired: Object, live: Object | None) -> Object:
        """Apply; the number of pods does not change when it passes between us and an autoscaler."""
        if autoscaling.is_handed_over(desired):
            live = live or await self._cluster.apply(autoscaling.initial(desired), force=False)
            if not autoscaling.is_handed_over(live):
                await self._cluster.apply(autoscaling.hold(desired, live), force=True, manager=autoscaling.HOLDER)
        elif live is not None and autoscaling.is_handed_over(live):
            await self._settle(desired, live, force=True)  # taking `replicas` back from the autoscaler is no conflict
            return await self._cluster.apply(autoscaling.release(live), force=True, manager=autoscaling.HOLDER)
        return await self._settle(desired, live)

    async def _settle(self, desired: Object, live: Object | None, *, force: bool = False) -> Object:
        """Apply without force first, to detect a conflict with another manager; then with force.

        A conflict that was detected some minutes ago is not detected again: that would be a second request each time.
        """
        ref, now = ObjectRef.of(desired), time.monotonic()
        force = force or now - self._conflicts.get(ref, float("-inf")) < _SAME_EVENT_SECONDS
        obj = diff.with_shared(desired, live)
        if live is not None:  # only onto the object that was looked at
            obj = {**obj, "metadata": {**obj["metadata"], "uid": live["metadata"]["uid"]}}
        try:
            return await self._cluster.apply(obj, force=force)
        except FieldConflict as conflict:
            self._conflicts.pop(ref, None)
            self._conflicts[ref] = now
            while len(self._conflicts) > _MOST_EVENTS:
                del self._conflicts[next(iter(self._conflicts))]
            self._metrics.field_conflicts.labels(ref.kind).inc()
            text = f"{ref.kind} {ref.name}: {'; '.join(conflict.managers)}. The fields were restored."
            await self._event(_owner(desired), "Warning", Reason.FIELD_CONFLICT, text)
        return await self._cluster.apply(obj, force=True)

    async def _remove_items(self, live: Object, pointers: list[str]) -> Object:
        self._metrics.foreign_items.labels(live["kind"]).inc(len(pointers))
        test = {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}
        return await self._cluster.patch(
            live, [test, *({"op": "remove", "path": pointer} for pointer in pointers)], JSON_PATCH
        )

    async def _patch_tenant(self, tenant: Object, body: object, media_type: str, subresource: str = "") -> Object:
        tenant = {**tenant, "kind": crd.KIND}
        try:
            return await self._cluster.patch(tenant, body, media_type, subresource=subresource)
        except ObjectNotFound as error:
            raise TenantGone(f"The tenant {tenant['metadata']['name']} no longer exists.") from error

    async def _event(self, owner: Mapping[str, str], kind: str, reason: Reason, message: str) -> None:
        """Post an event (events.k8s.io/v1) unless the same was posted a moment ago."""
        now = time.monotonic()
        same = (owner["uid"], reason, message)
        if now - self._posted.get(same, float("-inf")) < _SAME_EVENT_SECONDS:
            return
        self._posted[same] = now
        while len(self._posted) > _MOST_EVENTS:
            del self._posted[next(iter(self._posted))]
        try:
            await self._cluster.create(self._event_body(owner, kind, reason, message))
        except ImghostError as error:
            _log.warning("event not posted", tenant=owner["name"], reason=reason, detail=error.detail)

    def _event_body(self, owner: Mapping[str, str], kind: str, reason: Reason, message: str) -> Object:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": f"{owner['name']}.{uuid4().hex[:16]}", "namespace": _EVENT_NAMESPACE},
            "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reportingController": REPORTER,
            "reportingInstance": self._identity[:128],
            "action": "Reconcile",
            "reason": reason,
            "note": message[:1024],
            "type": kind,
            "regarding": {"apiVersion": crd.API_VERSION, "kind": crd.KIND, **owner},
        }


def _replacing(old: Mapping[str, Any], new: Mapping[str, Any]) -> Object:
    """A merge patch that makes `old` equal to `new`: null, which removes a field, for what `new` no longer has."""
    changed = {
        key: _replacing(old[key], value) if isinstance(value, Mapping) and isinstance(old.get(key), Mapping) else value
        for key, value in new.items()
    }
    return dict.fromkeys(old.keys() - new.keys()) | changed


def _owner(desired: Object) -> dict[str, str]:
    owner = desired["metadata"]["ownerReferences"][0]
    return {"name": owner["name"], "uid": owner["uid"]}
