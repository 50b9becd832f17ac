"""kubectl with one kubeconfig."""

import json
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from imghost_dev import programs
from imghost_dev.cluster.provider import ClusterError

ADDONS = Path(__file__).parent / "addons"

Object = dict[str, Any]


class Kubectl:
    """Runs kubectl as the user of one kubeconfig, against its current context."""

    def __init__(self, kubeconfig: Path, program: Path | None = None) -> None:
        self.command = [str(program or _program()), f"--kubeconfig={kubeconfig}"]

    def __call__(self, *arguments: str, stdin: str | None = None, within: float = 120) -> str:
        """Its output; raises ClusterError with its error message."""
        try:
            done = subprocess.run(
                [*self.command, *arguments], input=stdin, capture_output=True, text=True, check=False, timeout=within
            )
        except subprocess.TimeoutExpired:
            raise ClusterError(f"kubectl {' '.join(arguments)}: no response within {within:.0f} s") from None
        if done.returncode:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def succeeds(self, *arguments: str) -> bool:
        """Whether the command succeeds."""
        try:
            self(*arguments, within=10)
        except ClusterError:
            return False
        return True

    def get(self, *arguments: str) -> Object:
        """What `kubectl get` with these arguments finds: one object or a List; raises ClusterError."""
        found: Object = json.loads(self("get", *arguments, "--output=json"))
        return found

    def apply(self, objects: Iterable[Object]) -> None:
        """Create or change objects by server-side apply."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self("apply", "--server-side", "--force-conflicts", "--field-manager=imghost-cluster", "-f", "-", stdin=text)


def _program() -> Path:
    found = shutil.which("kubectl")
    return Path(found) if found else programs.kubernetes().path("kubectl")


def manifest(path: Path, images: Mapping[str, str]) -> list[Object]:
    """The objects of a YAML file; containers name their image by a key of `images`."""
    objects = [document for document in yaml.safe_load_all(path.read_text()) if document]
    for item in objects:
        pod = item.get("spec", {}).get("template", {}).get("spec", {})
        for container in [*pod.get("initContainers", []), *pod.get("containers", [])]:
            container["image"] = images[container["image"]]
    return objects
