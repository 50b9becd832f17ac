"""Follows one kind: one list, then one watch from the list's version on. The only place that reads the cluster's state.

A relist replaces everything, so deletions that happened without a watch are noticed too. Kubernetes calls this part of
an informer a reflector.
"""

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from imghost_core import logs
from imghost_operator.errors import ListExpired, ObjectNotFound, PlatformDown, PlatformRefused
from imghost_operator.kubernetes_client import KubernetesClient
from imghost_operator.metrics import Metrics
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.tenant_objects import MANAGED

_OURS = {"labelSelector": ",".join(f"{name}={value}" for name, value in MANAGED.items())}
FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 0.5, 30.0

_log = logs.get("imghost.operator.watch")


class WatchScope(NamedTuple):
    """What one list and watch cover: a kind in the whole cluster, or in one namespace, or that namespace itself."""

    kind: str
    namespace: str = ""
    is_managed: bool = True
    """Whether the operator creates the objects, so that its label selects them."""

    @property
    def selection(self) -> dict[str, Any]:
        """Arguments of a list or watch; a namespace of others is found by its name, not by our label."""
        if self.namespace and self.kind == "Namespace":
            return {"selectors": {"fieldSelector": f"metadata.name={self.namespace}"}}
        return {"namespace": self.namespace, "selectors": _OURS if self.is_managed else {}}

    def covers(self, ref: ObjectRef) -> bool:
        """Whether an object is in it."""
        return ref.kind == self.kind and self.namespace in {"", ref.namespace or ref.name}


class Sink(Protocol):
    """What a reflector keeps current."""

    def replace(self, scope: WatchScope, objects: list[Object], version: int) -> None:
        """These are all objects of the scope as of a version."""

    def put(self, obj: Object) -> None:
        """An object was added or changed."""

    def drop(self, obj: Object) -> None:
        """An object was deleted; this is its last state."""


class Reflector:
    """Keeps `sink` current for one scope. `noted` is called when the scope was listed, or its listing was rejected."""

    def __init__(
        self, client: KubernetesClient, scope: WatchScope, sink: Sink, metrics: Metrics, noted: Callable[[], None]
    ) -> None:
        self.scope = scope
        self.refusal: PlatformRefused | None = None
        """Why the API server does not let the operator read the scope."""
        self.is_listed = False
        self.is_missing = False
        """Whether the API server does not serve the kind: its CRD is not installed."""
        self._client, self._sink, self._metrics, self._noted = client, sink, metrics, noted
        self._heard = float("-inf")

    @property
    def age(self) -> float:
        """Seconds since the list or watch last returned anything."""
        return time.monotonic() - self._heard

    async def run(self) -> None:
        """Follow the scope until cancelled."""
        version, delay = "", FIRST_DELAY_SECONDS
        while True:
            try:
                if not version:
                    version = await self._list()
                async for event, obj in self._client.watch(self.scope.kind, version, **self.scope.selection):
                    delay = FIRST_DELAY_SECONDS
                    self._heard = time.monotonic()
                    version = obj["metadata"]["resourceVersion"]
                    self._take(event, obj)
            except ListExpired:
                version = ""
            except (PlatformDown, PlatformRefused, ObjectNotFound) as error:
                self.is_missing = isinstance(error, ObjectNotFound)
                if not isinstance(error, PlatformDown):
                    version = ""
                if isinstance(error, PlatformRefused):
                    self.refusal = error
                    self._noted()
                where = {"kind": self.scope.kind, "namespace": self.scope.namespace or "*"}
                _log.warning("watch interrupted", **where, detail=error.detail, retry_in=delay)
                await asyncio.sleep(delay * random.uniform(0.8, 1.2))  # noqa: S311 - spreads load
                delay = min(delay * 2, LONGEST_DELAY_SECONDS)

    async def _list(self) -> str:
        objects, version = await self._client.list(self.scope.kind, **self.scope.selection)
        self._metrics.relists.labels(self.scope.kind).inc()
        self._sink.replace(self.scope, objects, int(version))
        self._heard = time.monotonic()
        self.is_listed, self.is_missing, self.refusal = True, False, None
        self._noted()
        return version

    def _take(self, event: str, obj: Object) -> None:
        if event in {"ADDED", "MODIFIED"}:
            self._sink.put(obj)
        elif event == "DELETED":
            self._sink.drop(obj)


def version_of(obj: Object) -> int:
    """Resource versions of one kind are whole numbers that grow (Kubernetes 1.35 says so, etcd always did)."""
    return int(obj["metadata"]["resourceVersion"])
