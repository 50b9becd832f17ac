"""Run the end-to-end scenarios: `python -m support.e2e [ARGUMENTS OF PYTEST]`, or `make e2e`.

They run in the cluster of this checkout, on this checkout's images. Where no cluster runs one is started, and removed
with every trace afterwards.
"""

import os
import subprocess
import sys

from support.builders import BuildFailed
from support.cluster import providers
from support.cluster.__main__ import tell
from support.cluster.install import Installation
from support.cluster.provider import ClusterError, Provider, Times
from support.debian import PackagesMissing
from support.images import CHECKOUT
from support.programs import ProgramMissing


def main() -> int:
    """The exit code of pytest."""
    provider = providers.find(os.environ.get("IMGHOST_CLUSTER", "local"))
    was_up = provider.is_up()
    try:
        _install(provider)
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-m", "node", "tests/e2e", *sys.argv[1:]], cwd=CHECKOUT, check=False
        ).returncode
    finally:
        if not was_up:
            provider.down()


def _install(provider: Provider) -> None:
    times = Times(tell)
    provider.up(times)
    installation = Installation(provider, times)
    installation.load_images()
    installation.backends()
    installation.operator()
    times.say(f"{times.total():6.1f} s  until the scenarios can begin")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (BuildFailed, ClusterError, PackagesMissing, ProgramMissing) as error:
        sys.exit(f"error: {error}")
