"""Manifests of tenants: read from a file, validated as the cluster would, with its messages."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from imghost_local.errors import InvalidInput
from imghost_operator import admission, crd
from imghost_operator.platform import Object


class _Loader(yaml.SafeLoader):
    """Rejects a key that a mapping has twice, as kubectl does; YAML libraries would keep the last one silently."""

    def compose_mapping_node(self, anchor: dict[Any, yaml.Node]) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.MarkedYAMLError(problem=f'key "{key.value}" already set in map', problem_mark=key.start_mark)
            seen.add(str(key.value))
        return node


def read(path: Path, existing: Mapping[str, Object] | None = None) -> list[Object]:
    """The tenants in a YAML file, complete with defaults, in order.

    `existing` are those they would replace, by name: rules about what may not change are checked against them. Raises
    `InvalidInput` with everything that is wrong.
    """
    tenants = _documents(path)
    problems = [line for tenant in tenants for line in _complaints(tenant, existing or {})]
    names = [tenant["metadata"]["name"] for tenant in tenants] if not problems else []
    problems += [
        f'tenant "{name}" is there more than once' for name in sorted({name for name in names if names.count(name) > 1})
    ]
    if problems:
        raise InvalidInput(f"{path} is not valid:\n" + "\n".join(f"  {line}" for line in problems))
    return [_complete(tenant) for tenant in tenants]


def _documents(path: Path) -> list[Any]:
    try:
        documents = [document for document in yaml.load_all(path.read_text(), _Loader) if document is not None]
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}. Give the path of a manifest.") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not text: {error.reason}. Give the path of a manifest.") from error
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} is not YAML: {' '.join(str(error).split())}") from error
    if not documents:
        raise InvalidInput(f"{path} is empty. A manifest of an {crd.KIND} is needed; see manifests/samples.")
    return documents


def _complaints(tenant: Any, existing: Mapping[str, Object]) -> list[str]:
    """What is wrong with one tenant, each line as `kubectl apply` would print it."""
    metadata = tenant.get("metadata") if isinstance(tenant, Mapping) else None
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    old = existing.get(name) if isinstance(name, str) else None
    return [f'The {crd.KIND} "{name or ""}" is invalid: {line}' for line in admission.check(tenant, _admitted(old))]


def _admitted(old: Object | None) -> Object | None:
    return {name: value for name, value in old.items() if name != "status"} if old else None


def _complete(tenant: Object) -> Object:
    complete = admission.with_defaults(tenant)
    complete.pop("status", None)  # not written by users
    return complete
