"""The tenants themselves, as a reflector last saw them: which ones exist, and which changes matter."""

from collections.abc import Callable

from imghost_operator.crd.spec import DEFAULT_CLASS
from imghost_operator.platform import Object
from imghost_operator.reflector import WatchScope, version_of
from imghost_operator.workqueue import Priority

_DELETIONS = 1000  # to recognize a response that is handled after the event of the deletion
_OF_PEOPLE = ("labels", "annotations", "finalizers", "deletionTimestamp", "generation", "uid")


class TenantStore:
    """Every `ImageHostTenant` of one operator class by name; those of other classes do not exist here.

    `changed(name, priority)` is called when one should be reconciled.
    """

    def __init__(
        self,
        changed: Callable[[str, Priority], None],
        removed: Callable[[str], None],
        operator_class: str = DEFAULT_CLASS,
    ) -> None:
        self._changed, self._removed, self._class = changed, removed, operator_class
        self._bodies: dict[str, Object] = {}
        self._deleted: dict[str, None] = {}  # uids, the latest last
        self._foreign: dict[str, int] = {}  # uid of each tenant of another class, and the version that showed it

    def __len__(self) -> int:
        return len(self._bodies)

    def get(self, name: str) -> Object | None:
        """The tenant as last seen."""
        return self._bodies.get(name)

    def names(self, where: Callable[[Object], bool] = lambda _: True) -> list[str]:
        """The names of all tenants that satisfy a condition."""
        return [name for name, body in self._bodies.items() if where(body)]

    def put(self, body: Object) -> None:
        """Store a tenant that the watch returned; one that was handed over to another class is forgotten."""
        if not self._is_ours(body):
            return
        old, new = self._store(body)
        if old is None or _people_changed(old, new):
            self._changed(new["metadata"]["name"], Priority.USER)
        elif old.get("status") != new.get("status"):
            self._changed(new["metadata"]["name"], Priority.DRIFT)

    def put_local(self, body: Object) -> None:
        """Store a tenant that this process has just written, unless it was deleted or handed over meanwhile.

        What this process wrote is no change. What a user changed just before is one, and is detected here first: the
        watch returns it as an older version, which is ignored.
        """
        if not self._is_ours(body):
            return
        old, new = self._store(body)
        if old is not None and _people_changed(old, new):
            self._changed(new["metadata"]["name"], Priority.USER)

    def remove(self, name: str, uid: str | None = None) -> None:
        """Forget a tenant that no longer exists (with this uid, when given)."""
        known = self._bodies.get(name)
        if known is not None and uid in {None, known["metadata"]["uid"]}:
            del self._bodies[name]
            self._note_deletion(known["metadata"]["uid"])
            self._removed(name)

    def drop(self, body: Object) -> None:
        """Forget a tenant that the watch reports as deleted."""
        self._foreign.pop(body["metadata"]["uid"], None)
        self._note_deletion(body["metadata"]["uid"])
        self.remove(body["metadata"]["name"], body["metadata"]["uid"])

    def replace(self, scope: WatchScope, objects: list[Object], version: int) -> None:  # noqa: ARG002 - there is only one
        """Take a list as all tenants of its version: others, unless newer, were deleted without an event."""
        found = {body["metadata"]["name"]: body["metadata"]["uid"] for body in objects}
        for name, body in list(self._bodies.items()):
            if found.get(name) != body["metadata"]["uid"] and version_of(body) <= version:
                self.remove(name)
        uids = set(found.values())
        self._foreign = {uid: since for uid, since in self._foreign.items() if uid in uids or since > version}
        for body in objects:
            self.put(body)

    def _is_ours(self, body: Object) -> bool:
        """Whether a tenant exists for this class, as far as its newest version shows; if not, it is forgotten."""
        uid, version = body["metadata"]["uid"], version_of(body)
        if uid in self._deleted or version <= self._foreign.get(uid, 0):
            return False
        if (body.get("spec") or {}).get("operatorClass", DEFAULT_CLASS) != self._class:
            self._foreign[uid] = version
            self._hand_over(body)
            return False
        self._foreign.pop(uid, None)
        return True

    def _hand_over(self, body: Object) -> None:
        name = body["metadata"]["name"]
        if self._bodies.pop(name, None) is not None:
            self._removed(name)

    def _note_deletion(self, uid: str) -> None:
        self._deleted[uid] = None
        if len(self._deleted) > _DELETIONS:
            del self._deleted[next(iter(self._deleted))]

    def _store(self, body: Object) -> tuple[Object | None, Object]:
        """The tenant as it was and as it is; the same object twice when a newer version is known."""
        new = _plain(body)
        name = new["metadata"]["name"]
        old = self._bodies.get(name)
        if old is not None and version_of(new) <= version_of(old):
            return old, old
        self._bodies[name] = new
        return old, new


def _plain(body: Object) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key != "managedFields"}
    return {**body, "metadata": metadata}


def _people_changed(old: Object, new: Object) -> bool:
    return old.get("spec") != new.get("spec") or any(
        old["metadata"].get(part) != new["metadata"].get(part) for part in _OF_PEOPLE
    )
