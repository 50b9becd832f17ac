"""The objects of the local platform: in memory, and in one JSON file each, so that the next start has them."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from imghost_local.documents import Documents
from imghost_operator.platform import Object, ObjectRef


class Objects:
    """The objects with uid, resourceVersion and generation, as the API server stores them for a cluster."""

    def __init__(self, documents: Documents) -> None:
        self._documents, self._all = documents, dict[ObjectRef, Object]()
        for name in documents.names("objects"):
            stored = documents.read(name)
            self._all[ObjectRef.of(stored)] = stored

    def __iter__(self) -> Iterator[tuple[ObjectRef, Object]]:
        return iter(list(self._all.items()))

    def get(self, key: ObjectRef) -> Object | None:
        """The object, or None."""
        return self._all.get(key)

    def apply(self, desired: Object) -> Object:
        """Store `desired`; `generation` grows when anything but metadata and status changed."""
        before = self._all.get(ObjectRef.of(desired))
        old = before["metadata"] if before else {}
        changed = before is None or _meaning(before) != _meaning(desired)
        metadata = {
            "uid": old.get("uid") or str(uuid.uuid4()),
            "creationTimestamp": old.get("creationTimestamp") or now(),
            "generation": old.get("generation", 0) + int(changed),
            **{name: old[name] for name in _KEPT if name in old},
            **{name: value for name, value in desired["metadata"].items() if name not in _SERVER_SET},
        }
        stored = {**desired, "metadata": metadata}
        if before and "status" in before:
            stored["status"] = before["status"]
        return self.put(stored)

    def put(self, stored: Object) -> Object:
        """Store `stored` unchanged, under a new resourceVersion."""
        version = int(stored["metadata"].get("resourceVersion", 0)) + 1
        stored = {**stored, "metadata": {**stored["metadata"], "resourceVersion": str(version)}}
        self._all[ObjectRef.of(stored)] = stored
        self._documents.write(_path(ObjectRef.of(stored)), stored)
        return stored

    def remove(self, key: ObjectRef) -> None:
        """Delete it; does nothing when there is none."""
        self._all.pop(key, None)
        self._documents.remove(_path(key))


_KEPT = ("resourceVersion", "finalizers", "deletionTimestamp")
_SERVER_SET = frozenset({"uid", "creationTimestamp", "generation", "resourceVersion"})


def now() -> str:
    """The time as the API writes it, e.g. 2026-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _meaning(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name not in {"metadata", "status"}}


def _path(key: ObjectRef) -> str:
    return str(Path("objects", key.kind, key.namespace or "_", f"{key.name}.json"))
