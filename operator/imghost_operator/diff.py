"""Compare desired with live objects. Pure.

Only fields that we send count: others, added by the server or other managers, are left alone as in server-side apply.
Lists are matched by key where Kubernetes defines one and by position otherwise; in some maps and lists no foreign entry
is accepted, because it could grant access.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imghost_operator.platform import Object
from imghost_operator.tenant_contract import PULL_SECRETS_ANNOTATION, REGISTRIES_SECRET

# Keys of associative lists by the name of the list (`x-kubernetes-list-map-keys` in the API's own schema).
_LIST_KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "env": ("name",),
    "volumes": ("name",),
    "volumeMounts": ("mountPath",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "ownerReferences": ("uid",),
    "imagePullSecrets": ("name",),
}
_PORT_KEYS = (("containerPort", "protocol"), ("port", "protocol"))
_OPEN_LISTS = frozenset({"ownerReferences", "imagePullSecrets"})
"""Lists that others add to: OpenShift gives service accounts pull secrets of its own."""
_SHARED_ATOMIC = "imagePullSecrets"
"""The one of them that the server replaces as a whole (of a ServiceAccount), so what others added is sent too."""
_ATOMIC_MAPS = frozenset(
    {
        "selector",
        "matchLabels",
        "labelSelector",
        "podSelector",
        "namespaceSelector",
        "nodeSelector",
        "secretKeyRef",
        "configMapKeyRef",
    }
)
"""Maps that the server replaces as a whole: one entry too many is a change that applying again undoes."""
_EXACT = frozenset(
    {
        "tolerations",
        "requiredDuringSchedulingIgnoredDuringExecution",
        "preferredDuringSchedulingIgnoredDuringExecution",
    }
)
"""Parts that the server replaces as a whole and adds nothing to, at any depth."""
_CLOSED_MAPS = frozenset({"data", "requests", "limits", "hard", "NetworkPolicy.spec"})
"""Maps that are merged by key, in which no foreign entry is accepted."""


def changed(desired: Object, live: Object) -> bool:
    """Whether applying `desired` would change `live`.

    Fields that are no longer sent show too: `build` stamps every object with the hash of itself, and the stamp differs.
    """
    return not _covers(desired, live, "")


def foreign(desired: Object, live: Object) -> list[str]:
    """JSON pointers into `live` of what another manager added to lists and maps that are ours, the last one first.

    A second container, another variable, port or rule: applying our fields again does not take such items away.
    Removing them in the order given keeps the remaining pointers right.
    """
    parts = ((key, f"{desired['kind']}.{key}" if key == "spec" else key) for key in desired)
    return [pointer for key, name in parts for pointer in _foreign(desired[key], live.get(key), f"/{key}", name)][::-1]


def adopt(desired: Object, stored: Object) -> Object:
    """`desired` with the values that `stored` has instead, so that `changed` and `foreign` find nothing in it."""
    return _adopt_members(desired, stored)


def differences(one: Any, other: Any, pointer: str = "") -> Iterator[str]:
    """JSON pointers to where two manifests differ; a list of another length differs as a whole."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        for key in sorted(one.keys() | other.keys()):
            yield from differences(one.get(key), other.get(key), f"{pointer}/{_escape(key)}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for index, pair in enumerate(zip(one, other, strict=True)):
            yield from differences(*pair, f"{pointer}/{index}")
    elif one != other:
        yield pointer


def with_shared(desired: Object, live: Object | None) -> Object:
    """What to apply: `desired`, and the items that others added to a shared list that applying would replace."""
    if live is None or desired["kind"] != "ServiceAccount":
        return desired
    ours = desired.get(_SHARED_ATOMIC, [])
    before = live["metadata"].get("annotations", {}).get(PULL_SECRETS_ANNOTATION, "").split(",")
    names = {REGISTRIES_SECRET, *before, *(item["name"] for item in ours)}
    others = [item for item in live.get(_SHARED_ATOMIC) or () if item["name"] not in names]
    has_ours = len(others) < len(live.get(_SHARED_ATOMIC) or ())  # sent empty, it goes though others own the list too
    return {**desired, _SHARED_ATOMIC: [*ours, *others]} if others or has_ours else desired


def _covers(desired: Any, live: Any, name: str) -> bool:
    if name in _EXACT:
        return bool(desired == live)
    if isinstance(desired, Mapping):
        return isinstance(live, Mapping) and _covers_map(desired, live, name)
    if isinstance(desired, list):
        return isinstance(live, list) and _covers_list(desired, live, name)
    return type(desired) is type(live) and bool(desired == live)


def _covers_map(desired: Mapping[str, Any], live: Mapping[str, Any], name: str) -> bool:
    if name in _ATOMIC_MAPS and not live.keys() <= desired.keys():
        return False
    # The server leaves out what is empty.
    return all(_covers(value, live[key], key) if key in live else value in ([], {}) for key, value in desired.items())


def _covers_list(desired: list[Any], live: list[Any], name: str) -> bool:
    keys = _keys(name, desired)
    if keys is None:
        return len(desired) == len(live) and all(map(_covers, desired, live, [""] * len(live)))
    by_key = {_identity(item, keys): item for item in reversed(live)}
    return all(_covers(item, by_key.get(_identity(item, keys)), "") for item in desired)


def _adopt(desired: Any, stored: Any, name: str) -> Any:
    if isinstance(desired, Mapping) and isinstance(stored, Mapping) and name not in _ATOMIC_MAPS | _EXACT:
        kept = stored if name in _CLOSED_MAPS else {}
        return {**kept, **_adopt_members(desired, stored)}
    if isinstance(desired, list) and isinstance(stored, list) and name not in _EXACT:
        return _adopt_list(desired, stored, name)
    return stored


def _adopt_members(desired: Mapping[str, Any], stored: Mapping[str, Any]) -> Object:
    """What is desired empty stays so: the server leaves it out, and an item in it later is foreign."""
    return {
        key: _adopt(value, stored[key], key) if key in stored else value
        for key, value in desired.items()
        if key in stored or value in ([], {})
    }


def _adopt_list(desired: list[Any], stored: list[Any], name: str) -> list[Any]:
    keys = _keys(name, desired)
    if keys is None:
        same = len(desired) == len(stored)
        return [_adopt(*pair, "") for pair in zip(desired, stored, strict=True)] if same else stored
    wanted = {_identity(item, keys): item for item in desired}
    known = [(wanted.get(_identity(item, keys)), item) for item in stored]
    return [
        item if match is None else _adopt(match, item, "")
        for match, item in known
        if match is not None or name not in _OPEN_LISTS
    ]


def _foreign(desired: Any, live: Any, pointer: str, name: str) -> Iterator[str]:
    if isinstance(desired, Mapping) and isinstance(live, Mapping):
        for key, value in live.items():
            here = f"{pointer}/{_escape(key)}"
            if key in desired:
                yield from _foreign(desired[key], value, here, key)
            elif name in _CLOSED_MAPS:
                yield here
    elif isinstance(desired, list) and isinstance(live, list):
        yield from _foreign_items(desired, live, pointer, name)


def _foreign_items(desired: list[Any], live: list[Any], pointer: str, name: str) -> Iterator[str]:
    """A list matched by position is not descended into: `changed` sees any difference there, and applying undoes it."""
    keys = _keys(name, desired)
    if keys is None or name in _OPEN_LISTS:
        return
    wanted = {_identity(item, keys): item for item in desired}
    for index, item in enumerate(live):
        match = wanted.pop(_identity(item, keys), None)  # a second item with the same key is foreign as well
        if match is None:
            yield f"{pointer}/{index}"
        else:
            yield from _foreign(match, item, f"{pointer}/{index}", "")


def _keys(name: str, items: Sequence[Any]) -> tuple[str, ...] | None:
    if name == "ports":  # of a container or a Service; those of a NetworkPolicy have no name and no key
        return next(
            (keys for keys in _PORT_KEYS if items and all({"name", keys[0]} <= item.keys() for item in items)), None
        )
    return _LIST_KEYS.get(name)


def _identity(item: Any, keys: tuple[str, ...]) -> str:
    """The identity of an item in its list, as text, whatever the type of the JSON value."""
    return repr([item.get(key) for key in keys] if isinstance(item, Mapping) else item)


def _escape(key: str) -> str:
    """A member's name in a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")
