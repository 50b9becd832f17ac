"""Debian's packages for building images and for running a node, installed when missing."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping

# A program of each package → the package.
FOR_IMAGES = {
    "buildah": "buildah",
    "catatonit": "catatonit",
    "debootstrap": "debootstrap",
}
FOR_NODE = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
}


class PackagesMissing(Exception):
    """Packages are needed that cannot be installed from here; the text says which."""


def install(packages: Mapping[str, str], say: Callable[[str], None]) -> None:
    """Install those of FOR_IMAGES or FOR_NODE that are missing, without starting anything; needs root for it."""
    missing = sorted(package for program, package in packages.items() if not shutil.which(program))
    if not missing:
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise PackagesMissing(f"these programs are needed, please install them: {', '.join(missing)}")
    say(f"installing Debian's {', '.join(missing)}")
    _apt("update", "--quiet")
    _apt("install", "--quiet", "--yes", "--no-install-recommends", *missing)


def _apt(*arguments: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *arguments], capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise PackagesMissing(f"apt-get {' '.join(arguments)} failed: {(done.stdout + done.stderr)[-1000:]}")
