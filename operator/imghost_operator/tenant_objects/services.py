"""The Services: the ports for clients, in front of the ports that pods listen on."""

from imghost_operator.platform import Object
from imghost_operator.tenant_contract import PORTS, SERVICES
from imghost_operator.tenant_objects.meta import Owner


def services(owner: Owner) -> list[Object]:
    """One for each server, with its ports of `tenant_contract.PORTS`."""
    return [_service(owner, name) for name in sorted(SERVICES)]


def _service(owner: Owner, name: str) -> Object:
    body = {
        "type": "ClusterIP",
        "selector": owner.selector(name),
        "ports": [
            {"name": port_name, "port": port.number, "targetPort": port.target, "protocol": "TCP"}
            for port_name, port in PORTS.items()
            if port.service == name
        ],
    }
    return owner.build_object("v1", "Service", name, {"spec": body}, component=name)
