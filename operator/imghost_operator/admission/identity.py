"""What the server checks of any object before its schema: version, kind, name."""

import re
from collections.abc import Mapping
from typing import Any

from imghost_operator import crd

_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_SUBDOMAIN_HELP = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    "end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


def check(manifest: Any) -> list[str]:
    """Whether this is an ImageHostTenant with a name at all."""
    if not isinstance(manifest, Mapping):
        return ["the manifest must be one object with apiVersion, kind, metadata and spec"]
    version, kind = manifest.get("apiVersion"), manifest.get("kind")
    if version != crd.API_VERSION:
        return [f"the API version in the data ({version}) does not match the expected API version ({crd.API_VERSION})"]
    if kind != crd.KIND:
        return [f'kind: Invalid value: "{kind}": must be {crd.KIND}']
    metadata = manifest.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    if not isinstance(name, str) or not name:
        return ["metadata.name: Required value: name or generateName is required"]
    return []


def check_name(manifest: Mapping[str, Any]) -> list[str]:
    """Whether the name could be the name of any object."""
    name = manifest["metadata"]["name"]
    return [] if _SUBDOMAIN.fullmatch(name) else [f'metadata.name: Invalid value: "{name}": {_SUBDOMAIN_HELP}']
