"""A real single-node Kubernetes on this machine, from its own programs, without a container registry."""

import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from imghost_dev import builders, debian, programs
from imghost_dev.cluster.kubectl import ADDONS, Kubectl, manifest
from imghost_dev.cluster.local import node
from imghost_dev.cluster.local.init import HIDDEN
from imghost_dev.cluster.local.layout import NODE_NAME, Layout, of_this_checkout
from imghost_dev.cluster.provider import ClusterError, Times, wait_until
from imghost_dev.images import Image, Images


class Local:
    """The node of this checkout; needs Linux and root."""

    def __init__(self, layout: Layout | None = None) -> None:
        self.layout = layout or of_this_checkout()

    @property
    def kubeconfig(self) -> Path:
        return self.layout.pki / "admin.kubeconfig"

    @property
    def state(self) -> Path:
        return self.layout.state

    @property
    def address(self) -> str:
        return self._running().address

    def up(self, times: Times) -> None:
        if os.geteuid() != 0:
            raise ClusterError("the local node needs root: use sudo, or --provider kind or existing")
        if any(self.layout.state.is_relative_to(folder) for folder in HIDDEN):
            raise ClusterError(
                f"{self.layout.state} is a folder that the node does not see; set XDG_CACHE_HOME elsewhere"
            )
        with self._alone():
            if not self.is_up():
                self._start(times)

    def down(self) -> None:
        with self._alone():
            node.remove(self.layout)
        self._lock.unlink(missing_ok=True)

    def is_up(self) -> bool:
        running = node.find(self.layout)
        return running is not None and self._kubectl().succeeds("get", "--raw=/readyz")

    def images(self, times: Times) -> Images:
        return Images(builders.find(), times.say)

    def load(self, images: Sequence[Image]) -> None:
        known = self._containerd("images", "list", "--quiet").split()
        for image in images:
            if image.tag not in known:
                self._containerd("images", "import", str(image.archive))

    def _start(self, times: Times) -> None:
        node.remove(self.layout)  # what an earlier node left
        with times.phase("programs"):
            debian.install({**debian.FOR_NODE, **debian.FOR_IMAGES}, times.say)
            kubernetes = programs.kubernetes(times.say, needs=programs.KUBERNETES_COMMANDS)
        with times.phase("images of the node"):
            make = self.images(times)
            pause, *others = [make.pause(), make.coredns(), make.metrics_server()]
        with times.phase("container runtime ready, images of the node loaded"):
            node.start(self.layout, kubernetes, pause.tag)
            self._wait(self._is_containerd_ready, within=30)
            self.load([pause, *others])
        with times.phase("API server ready"):
            kubectl = self._kubectl()
            self._wait(lambda: kubectl.succeeds("get", "--raw=/readyz"), within=60)
        with times.phase("node ready"):
            self._wait(lambda: _is_node_ready(kubectl), within=60)
        with times.phase("name server ready"):
            tags = {image.name: image.tag for image in others}
            for name in tags:
                kubectl.apply(manifest(ADDONS / f"{name}.yaml", tags))
            kubectl("rollout", "status", "deployment/coredns", "--namespace=kube-system", "--timeout=110s")

    def _wait(self, ready: Callable[[], bool], within: float) -> None:
        wait_until(ready, within, lambda: f"the node is not ready; its programs write to {self.layout.log}")

    def _containerd(self, *arguments: str) -> str:
        argv = [*self._running().enter(), "ctr", "--namespace=k8s.io", *arguments]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise ClusterError(f"ctr {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def _is_containerd_ready(self) -> bool:
        try:
            return bool(self._containerd("version"))
        except ClusterError:
            return False

    def _running(self) -> node.Running:
        running = node.find(self.layout)
        if not running:
            raise ClusterError("the local node is not running; `make cluster` starts it")
        return running

    def _kubectl(self) -> Kubectl:
        return Kubectl(self.kubeconfig, programs.kubernetes(needs=programs.KUBERNETES_COMMANDS).path("kubectl"))

    @property
    def _lock(self) -> Path:
        return self.layout.state.with_suffix(".lock")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No other process starts or removes a node of this checkout meanwhile."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        with self._lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is_node_ready(kubectl: Kubectl) -> bool:
    jsonpath = '{.status.conditions[?(@.type=="Ready")].status}'
    try:
        return kubectl("get", "node", NODE_NAME, f"--output=jsonpath={jsonpath}") == "True"
    except ClusterError:
        return False  # it has not registered yet
