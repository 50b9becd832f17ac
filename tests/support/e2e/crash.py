"""kill -9 of what runs in pods, wherever a pod with the node's process ids may run."""

import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from imghost_dev.cluster.kubectl import Kubectl, Object

NAMESPACE = "imghost-e2e"
POD = "crash"

# For each line read: kills every process of the pods whose uids are in it, but not the one that holds a pod's
# namespaces, waits for their end, and prints how many there were.
_KILL = """
import os, select, signal, sys
print("armed", flush=True)
for line in sys.stdin:
    wanted = {form for uid in line.split() for form in (uid, uid.replace("-", "_"))}
    killed = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            groups, name = open(f"/proc/{pid}/cgroup").read(), open(f"/proc/{pid}/comm").read().strip()
            if name not in {"pause", "catatonit"} and any(uid in groups for uid in wanted):
                process = os.pidfd_open(int(pid))
                signal.pidfd_send_signal(process, signal.SIGKILL)
                killed.append(process)
        except (FileNotFoundError, ProcessLookupError):
            pass
    for process in killed:
        select.select([process], [], [])
        os.close(process)
    print(len(killed), flush=True)
"""


class Crash:
    """A pod that sees all processes of its node and ends those of other pods without a warning."""

    def __init__(self, kubectl: Kubectl, image: str) -> None:
        self._kubectl, self._image = kubectl, image
        self._hand: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Make the pod, in a namespace of its own."""
        self._kubectl.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}])
        self._kubectl.apply([_pod(self._image)])
        self._kubectl("wait", "--for=condition=Ready", f"pod/{POD}", f"--namespace={NAMESPACE}", "--timeout=60s")

    @contextmanager
    def arm(self) -> Iterator["Crash"]:
        """Inside, `kill` acts within a few milliseconds."""
        argv = [*self._kubectl.command, "exec", "--stdin", POD, f"--namespace={NAMESPACE}", "--"]
        with subprocess.Popen(
            [*argv, "python3", "-c", _KILL], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as self._hand:
            assert self._answer() == "armed"
            yield self

    def kill(self, pods: Iterable[Object]) -> int:
        """End all processes in these pods together; returns how many there were, when there is none any more."""
        assert self._hand is not None
        assert self._hand.stdin is not None
        self._hand.stdin.write(" ".join(pod["metadata"]["uid"] for pod in pods) + "\n")
        self._hand.stdin.flush()
        return int(self._answer())

    def stop(self) -> None:
        """Remove the pod with its namespace."""
        self._kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found")

    def _answer(self) -> str:
        assert self._hand is not None
        assert self._hand.stdout is not None
        return self._hand.stdout.readline().strip()


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
