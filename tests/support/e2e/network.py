"""Whether packets get from one pod to another, tried."""

from imghost_dev.cluster.kubectl import Kubectl, Object
from support.e2e.objects import Objects
from support.eventually import eventually

NAMESPACE = "imghost-e2e-network"
PORT = 8000
_NOTICED_WITHIN = 10
_CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2).close()"


def reaches(kubectl: Kubectl, pod: Object, address: str, port: int) -> bool:
    """Whether a process in a pod, which must have Python, gets a connection to that port."""
    where = [pod["metadata"]["name"], f"--namespace={pod['metadata']['namespace']}"]
    return kubectl.succeeds("exec", *where, "--", "python3", "-c", _CONNECT, address, str(port))


async def enforces_policies(kubectl: Kubectl, objects: Objects, image: str) -> bool:
    """Whether this cluster's network does what NetworkPolicies say: a server is closed by one, and tried.

    Raises AssertionError when the server cannot be reached before that, for then nothing could be concluded.
    """
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    try:
        kubectl.apply([namespace])
        kubectl.apply([_pod("server", image), _pod("asker", image)])
        kubectl("wait", "--for=condition=Ready", "pod", "--all", f"--namespace={NAMESPACE}", "--timeout=60s")
        server, asker = (objects.get("Pod", name, NAMESPACE) for name in ("server", "asker"))
        address = server["status"]["podIP"]
        await eventually(lambda: reaches(kubectl, asker, address, PORT), within=20, why="an open server is reached")
        kubectl.apply([_closed()])
        try:
            await eventually(lambda: not reaches(kubectl, asker, address, PORT), within=_NOTICED_WITHIN, every=0.5)
        except AssertionError:
            return False
        return True
    finally:
        objects.delete("Namespace", NAMESPACE)


def _closed() -> Object:
    spec = {"podSelector": {}, "policyTypes": ["Ingress"]}
    metadata = {"name": "closed", "namespace": NAMESPACE}
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}


def _pod(name: str, image: str) -> Object:
    main = {
        "name": "main",
        "image": image,
        "command": ["python3", "-m", "http.server", str(PORT), "--directory", "/etc"],
        "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"automountServiceAccountToken": False, "terminationGracePeriodSeconds": 0, "containers": [main]},
    }
