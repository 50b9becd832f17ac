"""What news about tenants means."""

from typing import Any

import pytest

from imghost_operator import crd
from imghost_operator.platform import Object
from imghost_operator.reflector import WatchScope
from imghost_operator.tenant_store import TenantStore
from imghost_operator.workqueue import Priority

SCOPE = WatchScope(crd.KIND, is_managed=False)


class Heard:
    """Tenants, and what they made happen."""

    def __init__(self) -> None:
        self.changed: list[tuple[str, Priority]] = []
        self.deleted: list[str] = []
        self.tenants = TenantStore(lambda name, priority: self.changed.append((name, priority)), self.deleted.append)


def body(version: int, *, uid: str = "u1", status: Any = None, **metadata: Any) -> Object:
    made: Object = {
        "metadata": {"name": "demo", "uid": uid, "resourceVersion": str(version), "managedFields": [{}], **metadata},
        "spec": {"paused": False},
    }
    return made | ({"status": status} if status else {})


def test_edits_are_urgent_and_own_status_writes_are_ignored() -> None:
    """A new or edited tenant is urgent; the echo of our own status write wakes no tenant; a foreign status is drift."""
    heard = Heard()
    heard.tenants.put(body(1))
    heard.tenants.put_local(body(2, status={"a": 1}))
    heard.tenants.put(body(2, status={"a": 1}))
    assert heard.changed == [("demo", Priority.USER)]
    heard.tenants.put(body(3, status={"a": 1}, generation=2))
    heard.tenants.put(body(4, status={"a": 1}, generation=2, deletionTimestamp="now"))
    heard.tenants.put(body(5, status={"a": 2}, generation=2, deletionTimestamp="now"))
    assert heard.changed[1:] == [("demo", Priority.USER), ("demo", Priority.USER), ("demo", Priority.DRIFT)]


def test_an_event_older_than_our_own_write_is_ignored() -> None:
    """An event that was overtaken by our own write does not bring the past back."""
    heard = Heard()
    heard.tenants.put(body(1))
    heard.tenants.put_local(body(5, status={"a": 1}))
    heard.tenants.put(body(3))
    found = heard.tenants.get("demo")
    assert found is not None
    assert found["metadata"]["resourceVersion"] == "5"
    assert "managedFields" not in found["metadata"]


@pytest.mark.parametrize("change", [{"generation": 2}, {"deletionTimestamp": "now"}, {"annotations": {"a": "b"}}])
def test_a_change_just_before_our_own_write_is_reconciled(change: dict[str, Any]) -> None:
    """The answer to our write of the status may be the first to show what a person did a moment before. That wakes the
    tenant: the event of it is older than what we have then, and is ignored.
    """
    heard = Heard()
    heard.tenants.put(body(1))
    heard.tenants.put_local(body(3, status={"a": 1}, **change))
    heard.tenants.put(body(2, **change))
    heard.tenants.put(body(3, status={"a": 1}, **change))
    assert heard.changed == [("demo", Priority.USER), ("demo", Priority.USER)]


def test_a_response_that_comes_after_the_deletion_brings_nothing_back() -> None:
    """The response to our last write may be handled after the event of the deletion; a new tenant counts."""
    heard = Heard()
    heard.tenants.put(body(1))
    heard.tenants.drop(body(3))
    heard.tenants.put_local(body(2, status={"a": 1}))
    assert heard.tenants.get("demo") is None
    heard.tenants.put(body(4, uid="u2"))
    assert heard.changed == [("demo", Priority.USER)] * 2


def handed_over(version: int) -> Object:
    return body(version) | {"spec": {"operatorClass": "blue"}}


def test_a_response_that_comes_after_the_handover_brings_nothing_back() -> None:
    """A tenant of another class stays forgotten, whatever late responses and events say; handed back, it counts."""
    heard = Heard()
    heard.tenants.put(body(1))
    heard.tenants.put(handed_over(4))
    assert heard.deleted == ["demo"]
    heard.tenants.put_local(body(3, status={"a": 1}))
    heard.tenants.put(body(3, status={"a": 1}))
    heard.tenants.put_local(handed_over(5))
    assert heard.tenants.get("demo") is None
    heard.tenants.put(body(6))
    assert heard.changed == [("demo", Priority.USER)] * 2


def test_the_response_to_our_own_write_shows_the_handover() -> None:
    """The first to show that a tenant was handed over may be the response to our last write: it is forgotten then."""
    heard = Heard()
    heard.tenants.put(body(1))
    heard.tenants.put_local(handed_over(3))
    assert (heard.deleted, heard.tenants.get("demo")) == (["demo"], None)
    heard.tenants.replace(SCOPE, [], 9)
    heard.tenants.put(body(10))
    assert heard.tenants.get("demo") is not None


def test_a_missed_deletion_is_found_in_the_list() -> None:
    """A tenant that a list does not have, or has with another uid, is forgotten; a newer one is not."""
    heard = Heard()
    heard.tenants.put(body(1))
    heard.tenants.replace(SCOPE, [], 0)  # a list from before the tenant was created
    assert not heard.deleted
    heard.tenants.replace(SCOPE, [body(9, uid="u2")], 9)
    assert heard.deleted == ["demo"]
    found = heard.tenants.get("demo")
    assert found is not None
    assert found["metadata"]["uid"] == "u2"
    heard.tenants.replace(SCOPE, [], 10)
    assert heard.deleted == ["demo", "demo"]
    assert len(heard.tenants) == 0


def test_a_relist_reconciles_only_changed_tenants() -> None:
    """After a list that was taken again, tenants that are as they were are not reconciled."""
    heard = Heard()
    heard.tenants.replace(SCOPE, [body(1)], 5)
    heard.tenants.replace(SCOPE, [body(1)], 6)
    assert heard.changed == [("demo", Priority.USER)]
    heard.tenants.replace(SCOPE, [body(7, generation=2)], 8)
    assert heard.changed == [("demo", Priority.USER)] * 2


def test_a_late_event_of_a_former_tenant_does_not_remove_the_present_one() -> None:
    """DELETED of another uid concerns another tenant that had the name before."""
    heard = Heard()
    heard.tenants.put(body(4, uid="u2"))
    heard.tenants.drop(body(3, uid="u1"))
    assert not heard.deleted
    heard.tenants.drop(body(5, uid="u2"))
    assert heard.deleted == ["demo"]
