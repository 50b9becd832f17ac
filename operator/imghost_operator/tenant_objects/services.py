"""The Services: the ports that others know, in front of the ports that pods listen on."""

from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Owner

# Service → port name → (port, name of the container's port).
PORTS = {
    "api": {"auth": (5001, "http"), "upload": (5002, "http")},
    "imaging": {"view": (5003, "http"), "internal": (9090, "ops")},
}


def services(owner: Owner) -> list[Object]:
    """Both Services."""
    return [_service(owner, name, ports) for name, ports in PORTS.items()]


def _service(owner: Owner, name: str, ports: dict[str, tuple[int, str]]) -> Object:
    body = {
        "type": "ClusterIP",
        "selector": owner.selector(name),
        "ports": [
            {"name": port, "port": number, "targetPort": target, "protocol": "TCP"}
            for port, (number, target) in ports.items()
        ],
    }
    return owner.build_object("v1", "Service", name, {"spec": body}, component=name)
