"""An existing cluster, used only when its context is listed as allowed."""

import os
from collections.abc import Sequence
from pathlib import Path

import yaml

from imghost_dev import builders
from imghost_dev.cluster.kubectl import Kubectl
from imghost_dev.cluster.local.layout import of_this_checkout
from imghost_dev.cluster.provider import ClusterError, Times
from imghost_dev.images import Image, Images

ALLOWED = "IMGHOST_CONTEXTS"
REGISTRY = "IMGHOST_REGISTRY"


class Existing:
    """The current context of the user's kubeconfig, if IMGHOST_CONTEXTS (a comma list) names it.

    Its nodes pull the images from IMGHOST_REGISTRY, where `load` pushes them.
    """

    def __init__(self) -> None:
        layout = of_this_checkout()
        self.state = layout.state.with_name(f"{layout.id}-existing")
        self._kubeconfig = Path(os.environ.get("KUBECONFIG") or Path.home() / ".kube" / "config")

    @property
    def kubeconfig(self) -> Path:
        """The user's file; raises ClusterError when its current context is not on the allow list."""
        try:
            current = yaml.safe_load(self._kubeconfig.read_text()).get("current-context")
        except FileNotFoundError:
            raise ClusterError(f"there is no {self._kubeconfig}; set KUBECONFIG") from None
        allowed = [name for name in os.environ.get(ALLOWED, "").split(",") if name]
        if current not in allowed:
            raise ClusterError(
                f"the context {current!r} of {self._kubeconfig} is not one that may be changed. "
                f"If it is meant, say so: {ALLOWED}={current}. Allowed now: {', '.join(allowed) or 'none'}"
            )
        return self._kubeconfig

    @property
    def address(self) -> str:
        nodes = Kubectl(self.kubeconfig).get("nodes")["items"]
        addresses = {item["type"]: item["address"] for node in nodes for item in node["status"]["addresses"]}
        return str(addresses.get("ExternalIP") or addresses["InternalIP"])

    def up(self, times: Times) -> None:
        with times.phase("cluster responds"):
            Kubectl(self.kubeconfig)("get", "--raw=/readyz", within=30)

    def down(self) -> None:
        """Leave the cluster as it is: it existed before."""
        raise ClusterError("a cluster that we did not make is not removed; uninstall with Helm what was installed")

    def is_up(self) -> bool:
        return Kubectl(self.kubeconfig).succeeds("get", "--raw=/readyz")

    def images(self, times: Times) -> Images:
        registry = os.environ.get(REGISTRY)
        if not registry:
            raise ClusterError(f"set {REGISTRY} to where images can be pushed and that cluster pulls from")
        return Images(builders.find(), times.say, registry)

    def load(self, images: Sequence[Image]) -> None:
        builder = builders.find()
        for image in images:
            builder.push(image.tag)
