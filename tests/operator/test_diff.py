"""Comparing what we want with what is there: blind to what is not ours, sharp on what is."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imghost_operator import diff
from imghost_operator.platform import Object, ObjectRef
from support.tenants import objects

MADE = objects()
OBJECTS = st.sampled_from(sorted(MADE)).map(lambda key: MADE[key])


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of every scalar."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if children is None:
        yield path
    else:
        for key, child in children:
            yield from leaves(child, (*path, key))


def maps(value: Any, name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every map with the name it is under."""
    if isinstance(value, dict):
        yield name, value
        for key, child in value.items():
            yield from maps(child, key)
    elif isinstance(value, list):
        for child in value:
            yield from maps(child)


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


@given(OBJECTS)
def test_an_object_equals_itself(obj: Object) -> None:
    """What is stored exactly as sent has neither changes nor strangers."""
    live = copy.deepcopy(obj)
    assert not diff.changed(obj, live)
    assert diff.foreign(obj, live) == []


@given(OBJECTS, st.data())
def test_every_changed_value_is_seen(obj: Object, data: st.DataObject) -> None:
    """Changing or removing any single value that we set is a change."""
    live = copy.deepcopy(obj)
    path = data.draw(st.sampled_from(list(leaves(obj))))
    assume(path)
    parent = at(live, path[:-1])
    if data.draw(st.booleans()) or isinstance(parent, list):
        parent[path[-1]] = data.draw(st.sampled_from(["meddled", 99, None, [], {}]))
        assume(at(live, path) != at(obj, path))
    else:
        del parent[path[-1]]
    assert diff.changed(obj, live)


@given(OBJECTS, st.data())
def test_server_defaults_are_no_change(obj: Object, data: st.DataObject) -> None:
    """Fields that the server adds to ours, status and metadata are no difference."""
    live = copy.deepcopy(obj)
    closed = {"data", "requests", "limits", "hard", "selector", "matchLabels", "podSelector", "namespaceSelector"}
    open_maps = [found for name, found in maps(live) if name not in {*closed, "labelSelector"}]
    if obj["kind"] == "NetworkPolicy":
        open_maps = [found for found in open_maps if found is not live["spec"]]
    data.draw(st.sampled_from(open_maps))["addedByServer"] = "default"
    live["metadata"] |= {"uid": "u", "resourceVersion": "5", "managedFields": []}
    live["status"] = {"phase": "Active"}
    assert not diff.changed(obj, live)
    assert diff.foreign(obj, live) == []


@given(OBJECTS, st.randoms(use_true_random=False))
def test_order_matters_only_where_the_server_keeps_it(obj: Object, random: Any) -> None:
    """Lists with keys may come back in another order."""
    live = copy.deepcopy(obj)
    for _, found in maps(live):
        for name, value in found.items():
            if name in {"env", "volumes", "volumeMounts", "topologySpreadConstraints"}:
                random.shuffle(value)
    assert not diff.changed(obj, live)
    assert diff.foreign(obj, live) == []


STRANGERS = ["containers", "initContainers", "env", "volumes", "volumeMounts", "ports"]


@given(st.sampled_from(sorted(key for key in MADE if key.kind in {"Deployment", "Service"})), st.data())
def test_foreign_list_items_are_found_and_removed(key: ObjectRef, data: st.DataObject) -> None:
    """However many items were added wherever, removing the pointers in their order leaves what we sent."""
    desired = MADE[key]
    live = copy.deepcopy(desired)
    lists = [value for _, found in maps(live) for name, value in found.items() if name in STRANGERS]
    for number in range(data.draw(st.integers(1, 4))):
        target = data.draw(st.sampled_from(lists))
        stranger = {"name": f"x/~{number}", "mountPath": f"/{number}", "port": number, "protocol": "TCP"}
        target.insert(data.draw(st.integers(0, len(target))), stranger | {"containerPort": number})
    pointers = diff.foreign(desired, live)
    assert pointers
    for pointer in pointers:
        remove(live, pointer)
    assert live == desired


def remove(obj: Any, pointer: str) -> None:
    """JSON patch's `remove`."""
    *path, last = (step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:])
    for step in path:
        obj = obj[int(step)] if isinstance(obj, list) else obj[step]
    del obj[int(last) if isinstance(obj, list) else last]


@pytest.mark.parametrize("name", ["MAX_PIXELS", "a/b~c"])
def test_pointers_are_escaped(name: str) -> None:
    """A key with a slash or a tilde is pointed at as RFC 6901 says."""
    desired = {"kind": "ConfigMap", "data": {}}
    live = {"kind": "ConfigMap", "data": {name: "1"}}
    (pointer,) = diff.foreign(desired, live)
    remove(live, pointer)
    assert live == desired


def test_a_second_item_with_the_same_key_is_foreign() -> None:
    """Kubernetes lets a variable stand twice and takes the last: one of ours cannot be shadowed so."""
    desired = {"kind": "Pod", "spec": {"env": [{"name": "A", "value": "1"}]}}
    live = {"kind": "Pod", "spec": {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}
    assert diff.foreign(desired, live) == ["/spec/env/1"]


def test_a_wish_that_was_dropped_is_a_change() -> None:
    """When a field is no longer sent, the stamp of the object differs from the one in the cluster."""
    before = objects(podMetadata={"annotations": {"example.com/a": "b"}})
    key = ObjectRef("Deployment", "imghost-demo", "api")
    assert diff.changed(MADE[key], before[key])


@given(st.sampled_from(sorted(key for key in MADE if key.kind == "Deployment")), st.data())
def test_what_was_adopted_is_as_expected(key: ObjectRef, data: st.DataObject) -> None:
    """A stored form that differs by a value, an item too many and an item too few is no difference once it is adopted,
    and what is changed afterwards is.
    """
    desired = MADE[key]
    live = copy.deepcopy(desired)
    container = live["spec"]["template"]["spec"]["containers"][0]
    container["image"] = "mirror.example.com/x:1"
    container["resources"] = {"requests": {"ephemeral-storage": "1Gi"}}
    container["env"].append({"name": "INJECTED", "value": "yes"})
    if data.draw(st.booleans()):
        container["env"].pop(0)
    live["status"] = {"replicas": 1}
    del live["spec"]["template"]["spec"]["initContainers"]  # the server leaves out what is empty
    expected = diff.adopt(desired, live)
    assert not diff.changed(expected, live)
    assert diff.foreign(expected, live) == []
    assert "status" not in expected
    assert all(
        pointer.startswith("/spec/template/spec/containers/0/") for pointer in diff.differences(desired, expected)
    )
    container["image"] = "other.example.com/x:1"
    assert diff.changed(expected, live)
    live["spec"]["template"]["spec"]["initContainers"] = [{"name": "added", "image": "later"}]
    assert diff.foreign(expected, live) == ["/spec/template/spec/initContainers/0"]


def test_differences_are_named_where_they_are() -> None:
    """A value by its own pointer; a list of another length as a whole."""
    one = {"a": {"b/c": 1, "same": 2}, "list": [{"x": 1}, {"x": 2}], "longer": [1]}
    other = {"a": {"b/c": 2, "same": 2}, "list": [{"x": 1}, {"x": 3}], "longer": [1, 2], "new": {}}
    assert list(diff.differences(one, other)) == ["/a/b~1c", "/list/1/x", "/longer", "/new"]
