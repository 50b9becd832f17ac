"""kill -9 of what runs in pods, wherever a pod with the node's process ids may run."""

from collections.abc import Iterable

from support.cluster.kubectl import Kubectl, Object
from support.e2e.objects import Objects
from support.eventually import eventually

NAMESPACE = "imghost-e2e"
POD = "crash"

# Kills every process of the pods whose uids are the arguments, but not the one that holds a pod's namespaces.
_KILL = """
import os, sys
wanted = {form for uid in sys.argv[1:] for form in (uid, uid.replace("-", "_"))}
killed = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        groups, name = open(f"/proc/{pid}/cgroup").read(), open(f"/proc/{pid}/comm").read().strip()
        if name not in {"pause", "catatonit"} and any(uid in groups for uid in wanted):
            os.kill(int(pid), 9)
            killed += 1
    except (FileNotFoundError, ProcessLookupError):
        pass
print(killed)
"""


class Crash:
    """A pod that sees all processes of its node and ends those of other pods without a warning."""

    def __init__(self, kubectl: Kubectl, objects: Objects, image: str) -> None:
        self._kubectl, self._objects, self._image = kubectl, objects, image

    async def start(self) -> None:
        """Make the pod, in a namespace of its own."""
        self._kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        self._kubectl.apply([_pod(self._image)])
        await eventually(self._is_running, within=60, why="the pod that kills others does not run")

    def kill(self, pods: Iterable[Object]) -> int:
        """End all processes in these pods at once; returns how many there were."""
        uids = [pod["metadata"]["uid"] for pod in pods]
        return int(self._kubectl("exec", POD, f"--namespace={NAMESPACE}", "--", "python3", "-c", _KILL, *uids))

    def stop(self) -> None:
        """Remove the pod with its namespace."""
        self._objects.delete("Namespace", NAMESPACE)

    def _is_running(self) -> bool:
        return bool(self._objects.get("Pod", POD, NAMESPACE).get("status", {}).get("phase") == "Running")


def _pod(image: str) -> Object:
    main = {"name": "main", "image": image, "command": ["sleep", "infinity"], "securityContext": {"runAsUser": 0}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD, "namespace": NAMESPACE},
        "spec": {
            "hostPID": True,
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [main],
        },
    }
