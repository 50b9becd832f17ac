"""A cluster of `kind`, for machines with Docker and access to a node image."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from imghost_dev.builders import Docker
from imghost_dev.cluster.kubectl import ADDONS, Kubectl, manifest
from imghost_dev.cluster.local.layout import of_this_checkout
from imghost_dev.cluster.provider import ClusterError, Times
from imghost_dev.images import Image, Images


class Kind:
    """The kind cluster of this checkout; its network plugin enforces network policies."""

    def __init__(self) -> None:
        layout = of_this_checkout()
        self._name = layout.cgroup
        self.state = layout.state.with_name(f"{layout.id}-kind")

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def address(self) -> str:
        nodes = json.loads(_run("docker", "inspect", f"{self._name}-control-plane"))
        return str(nodes[0]["NetworkSettings"]["Networks"]["kind"]["IPAddress"])

    def up(self, times: Times) -> None:
        for program in ("kind", "docker"):
            if not shutil.which(program):
                raise ClusterError(f"the provider kind needs `{program}` on PATH; or use --provider local")
        if self.is_up():
            return
        self.state.mkdir(parents=True, exist_ok=True)
        with times.phase("kind cluster ready"):
            _run("kind", "create", "cluster", f"--name={self._name}", f"--kubeconfig={self.kubeconfig}", "--wait=120s")
        with times.phase("metrics-server installed"):
            self._install_metrics_server(self.images(times).metrics_server())

    def down(self) -> None:
        if shutil.which("kind"):
            _run("kind", "delete", "cluster", f"--name={self._name}", f"--kubeconfig={self.kubeconfig}")
        shutil.rmtree(self.state, ignore_errors=True)

    def is_up(self) -> bool:
        return bool(shutil.which("kind")) and self._name in _run("kind", "get", "clusters").split()

    def images(self, times: Times) -> Images:
        return Images(Docker(), times.say)

    def load(self, images: Sequence[Image]) -> None:
        for image in images:
            _run("kind", "load", "image-archive", str(image.archive), f"--name={self._name}")

    def _install_metrics_server(self, image: Image) -> None:
        self.load([image])
        objects = manifest(ADDONS / "metrics-server.yaml", {image.name: image.tag})
        (deployment,) = [item for item in objects if item["kind"] == "Deployment"]
        container = deployment["spec"]["template"]["spec"]["containers"][0]
        container["args"].append("--kubelet-insecure-tls")  # kind's kubelets sign their certificates themselves
        Kubectl(self.kubeconfig).apply(objects)


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ClusterError(f"{' '.join(argv[:3])}: {done.stderr.strip()}")
    return done.stdout
