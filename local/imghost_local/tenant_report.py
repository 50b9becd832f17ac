"""A tenant in the report: readiness, URLs and processes."""

from typing import Any

from imghost_local.platform import LocalPlatform
from imghost_operator import tenant_objects
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import PUBLIC_PORTS


def describe(platform: LocalPlatform, tenant: Object, demo: dict[str, Any]) -> dict[str, Any]:
    """One tenant of the report. `demo` has its first user, key and image, if made."""
    name = tenant["metadata"]["name"]
    namespace = tenant_objects.namespace_of(name)
    return {
        "name": name,
        "ready": is_ready(tenant) and bool(demo),
        "urls": urls(platform, name),
        "key": demo.get("key"),
        "account": {part: demo[part] for part in ("email", "username", "password") if part in demo},
        "image": demo.get("image"),
        "refusal": demo.get("refusal"),
        "conditions": tenant.get("status", {}).get("conditions", []),
        "pods": [
            {
                "name": pod.name,
                "workload": workload,
                "pid": pod.pid,
                "address": pod.address,
                "ready": pod.ready,
                "restarts": pod.restarts,
                "message": pod.message,
            }
            for workload, pod in platform.pods(namespace)
        ],
    }


def urls(platform: LocalPlatform, tenant: str) -> dict[str, str]:
    """Base URLs of the tenant's public ports, and of the API's documentation."""
    namespace = tenant_objects.namespace_of(tenant)
    found: dict[str, str] = {
        name: platform.endpoint(namespace, port.service, name, port.number) for name, port in PUBLIC_PORTS.items()
    }
    return {**found, "docs": f"{found['auth']}/docs"}


def is_ready(tenant: Object) -> bool:
    """Whether the operator calls its current generation Ready."""
    status = tenant.get("status", {})
    conditions: list[dict[str, Any]] = status.get("conditions", [])
    generation = tenant.get("metadata", {}).get("generation")
    return any(
        condition["type"] == "Ready" and condition["status"] == "True" and condition["observedGeneration"] == generation
        for condition in conditions
    )
