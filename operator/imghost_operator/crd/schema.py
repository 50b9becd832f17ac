"""From the models to the CustomResourceDefinition: pydantic's JSON schema made structural as Kubernetes requires."""

import json
from functools import cache
from typing import Any

import yaml
from pydantic import BaseModel

from imghost_operator.crd.spec import Spec
from imghost_operator.crd.status import Status
from imghost_operator.platform import Object

GROUP, VERSION, KIND, PLURAL = "imghost.dev", "v1", "ImageHostTenant", "imagehosttenants"
API_VERSION = f"{GROUP}/{VERSION}"
MAX_NAME = 40
RESERVED_NAMES = ("system", "backends")
"""Not for tenants: imghost-system and imghost-backends are namespaces of the installation."""

# Of creation only: an object that is stored under a name stays changeable and deletable whatever later releases forbid.
# The API server ratchets the rules of unchanged fields, but never those of the root.
ONLY_NEW = "oldSelf.hasValue() || "
_NAME_RULES = [
    {
        "rule": f"{ONLY_NEW}self.metadata.name.size() <= {MAX_NAME}",
        "message": f"the name must be at most {MAX_NAME} characters: it becomes part of a namespace, a database and a "
        "storage prefix",
        "fieldPath": ".metadata.name",
        "optionalOldSelf": True,
    },
    {
        "rule": ONLY_NEW + "self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
        "message": "the name must be a DNS label: lower-case letters, digits and '-', no dots",
        "fieldPath": ".metadata.name",
        "optionalOldSelf": True,
    },
    {
        "rule": f"{ONLY_NEW}!(self.metadata.name in {list(RESERVED_NAMES)!r})",
        "message": "the name is reserved: its namespace is where imghost itself, or what it needs, is installed; "
        "choose another",
        "fieldPath": ".metadata.name",
        "optionalOldSelf": True,
    },
]
_COLUMNS = [
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', "Whether the tenant serves images.", 0),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Reason of the status.", 0),
    ("Api", "integer", ".status.api.ready", "Pods of the api that are ready.", 0),
    ("Imaging", "integer", ".status.imaging.ready", "Pods of imaging that are ready.", 0),
    ("Worker", "integer", ".status.worker.ready", "Pods of the worker that are ready.", 1),
    ("Storage", "string", ".status.storage.backend", "Object store.", 0),
    ("Version", "string", ".status.version", "Version of imghost that runs.", 0),
    ("Age", "date", ".metadata.creationTimestamp", "Time since creation.", 0),
    ("URL", "string", ".status.url", "Base URL of images.", 1),
    ("Namespace", "string", ".status.namespace", "Namespace of the tenant.", 1),
]
_NOT_STRUCTURAL = ("title", "$defs", "propertyNames", "discriminator")


@cache
def root() -> Object:
    """The structural schema of the whole resource; shared, so not to be changed."""
    return {
        "type": "object",
        "description": "One isolated image host: a namespace, a database and a prefix in an object store.",
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {API_VERSION}."},
            "kind": {"type": "string", "description": f"Always {KIND}."},
            # Does not restrict the name, but lets the rules refer to it.
            "metadata": {"type": "object", "properties": {"name": {"type": "string", "maxLength": 253}}},
            "spec": _with_default(_structural(Spec)),
            "status": _structural(Status),
        },
        "x-kubernetes-validations": _NAME_RULES,
    }


def manifest() -> Object:
    """The CustomResourceDefinition."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}", "labels": {"app.kubernetes.io/part-of": "imghost"}},
        "spec": {
            "group": GROUP,
            "scope": "Cluster",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["iht"],
                "categories": ["imghost"],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": root()},
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.api.replicas",
                            "statusReplicasPath": ".status.api.current",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": [
                        {"name": name, "type": kind, "jsonPath": path, "description": text, "priority": priority}
                        for name, kind, path, text, priority in _COLUMNS
                    ],
                }
            ],
        },
    }


def text() -> str:
    """The CustomResourceDefinition as the file in `crds/`."""
    # Through JSON, so that parts used twice are written twice and not as YAML aliases.
    body = yaml.safe_dump(json.loads(json.dumps(manifest())), sort_keys=False, width=120)
    return f"# Generated from imghost_operator.crd by `make crds`; not to be edited.\n{body}"


def _structural(model: type[BaseModel]) -> Object:
    schema = model.model_json_schema(by_alias=True)
    return _node(schema, schema.get("$defs", {}))


def _node(node: Object, definitions: Object) -> Object:
    """One schema with references inlined and without keywords that Kubernetes does not accept."""
    node = _flat(node, definitions)
    node = {key: value for key, value in node.items() if key not in _NOT_STRUCTURAL}
    if node.get("additionalProperties") is False:
        del node["additionalProperties"]
    if node.get("default", ...) in (None, [], {}):
        del node["default"]
    for key in ("items", "additionalProperties"):
        if key in node:
            node[key] = _node(node[key], definitions)
    if "properties" in node:
        node["properties"] = {name: _property(child, definitions) for name, child in node["properties"].items()}
    return node


def _property(node: Object, definitions: Object) -> Object:
    """Non-nullable objects get a default, so that the defaults of their members apply too."""
    return _node(node, definitions) if "default" in node else _with_default(_node(node, definitions))


def _with_default(node: Object) -> Object:
    """An object's default is made of its members' defaults, complete, because rules are checked on it as it stands."""
    members = node.get("properties", {}).items()
    default = {name: child["default"] for name, child in members if "default" in child}
    return {**node, "default": default} if default else node


def _flat(node: Object, definitions: Object) -> Object:
    """The schema itself, where pydantic wrote a reference to it or a choice between it and null."""
    merged: dict[str, Any] = dict(node)
    choices = [choice for choice in merged.get("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        del merged["anyOf"]
        merged = {**_flat(choices[0], definitions), **merged}
    if "$ref" in merged:
        target = definitions[merged.pop("$ref").rpartition("/")[2]]
        merged = {**_flat(target, definitions), **merged}
    return merged
