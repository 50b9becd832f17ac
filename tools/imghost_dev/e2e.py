"""Run the end-to-end scenarios: `python -m imghost_dev e2e [ARGUMENTS OF PYTEST]`, or `make e2e`.

They run in the cluster of this checkout, on this checkout's images. Where no cluster runs one is started, and removed
with every trace afterwards.
"""

import os
import subprocess
import sys
from collections.abc import Sequence

from imghost_dev.cluster import providers
from imghost_dev.cluster.install import Installation
from imghost_dev.cluster.main import write_line
from imghost_dev.cluster.provider import Provider, Times
from imghost_dev.images import CHECKOUT


def main(arguments: Sequence[str]) -> int:
    """The exit code of pytest."""
    provider = providers.find(os.environ.get("IMGHOST_CLUSTER", "local"))
    was_up = provider.is_up()
    try:
        _install(provider)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "node", "tests/e2e", *arguments], cwd=CHECKOUT, check=False
        ).returncode
    finally:
        if not was_up:
            provider.down()


def _install(provider: Provider) -> None:
    times = Times(write_line)
    provider.up(times)
    installation = Installation(provider, times)
    installation.load_images()
    installation.backends()
    installation.operator()
    times.say(f"{times.total():6.1f} s  until the scenarios can begin")
