"""The tenants themselves, as last heard of: which ones there are, and which news about them matters."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from imghost_operator.platform import Object
from imghost_operator.workqueue import Priority

_OF_PEOPLE = ("labels", "annotations", "finalizers", "deletionTimestamp", "generation", "uid")


class TenantStore:
    """Every `ImageHostTenant` by name. `changed(name, priority)` is called when one should be looked at."""

    def __init__(self, changed: Callable[[str, Priority], None], gone: Callable[[str], None]) -> None:
        self._changed, self._gone = changed, gone
        self._bodies: dict[str, Object] = {}
        self._behind: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._bodies)

    def get(self, name: str) -> Object | None:
        """The tenant as last heard of."""
        return self._bodies.get(name)

    def names(self, where: Callable[[Object], bool] = lambda _: True) -> list[str]:
        """The names of all tenants that satisfy a condition."""
        return [name for name, body in self._bodies.items() if where(body)]

    def put(self, body: Mapping[str, Any]) -> None:
        """Take note of a tenant as the watch tells it."""
        old, new = self._replace(body)
        if old is None or _people_changed(old, new):
            self._changed(new["metadata"]["name"], Priority.USER)
        elif old.get("status") != new.get("status"):
            self._changed(new["metadata"]["name"], Priority.DRIFT)

    def put_local(self, body: Mapping[str, Any]) -> None:
        """Take note of a tenant that this process has just written.

        Our own part is no news. What people changed just before is, and it is heard of here first: the watch brings it
        as an older version, which counts no more.
        """
        old, new = self._replace(body)
        if old is not None and _people_changed(old, new):
            self._changed(new["metadata"]["name"], Priority.USER)

    def remove(self, name: str, uid: str | None = None) -> None:
        """The tenant (with this uid, when given) is no more."""
        known = self._bodies.get(name)
        if known is not None and uid in {None, known["metadata"]["uid"]}:
            del self._bodies[name]
            self._gone(name)

    def audit(self, listed: Iterable[Object], version: str) -> list[str]:
        """Hold what is known against a list of the server's, and the version of that list.

        Older tenants that are not in it are removed: their DELETED event was missed. Returns the names whose
        version in the list was ahead of what is known, this time and the last: news of them does not arrive.
        """
        found = {item["metadata"]["name"]: item["metadata"] for item in listed}
        for name, body in list(self._bodies.items()):
            if found.get(name, {}).get("uid") != body["metadata"]["uid"] and _version(body) <= int(version):
                self.remove(name)
        behind = {
            name: item["resourceVersion"]
            for name, item in found.items()
            if name not in self._bodies or int(item["resourceVersion"]) > _version(self._bodies[name])
        }
        missed = [name for name, version in behind.items() if self._behind.get(name) == version]
        self._behind = behind
        return missed

    def _replace(self, body: Mapping[str, Any]) -> tuple[Object | None, Object]:
        """The tenant as it was and as it is; both the same when the news is old."""
        new = _plain(body)
        name = new["metadata"]["name"]
        old = self._bodies.get(name)
        if old is not None and _version(new) <= _version(old):
            return old, old
        self._bodies[name] = new
        return old, new


def _plain(body: Mapping[str, Any]) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}


def _people_changed(old: Object, new: Object) -> bool:
    return old.get("spec") != new.get("spec") or any(
        old["metadata"].get(part) != new["metadata"].get(part) for part in _OF_PEOPLE
    )


def _version(body: Object) -> int:
    return int(body["metadata"]["resourceVersion"])
