"""Debian's packages that a node needs, installed when missing."""

import os
import shutil
import subprocess

from support.cluster.provider import ClusterError, Say

# A program of each package → the package.
PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "catatonit": "catatonit",
    "iptables": "iptables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "buildah": "buildah",
    "debootstrap": "debootstrap",
}


def install(say: Say) -> None:
    """Install what is missing; raises ClusterError where that is not possible. Nothing is started by it."""
    missing = [package for program, package in PACKAGES.items() if not shutil.which(program)]
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise ClusterError(f"the local node needs {', '.join(missing)}; install them, or use --provider kind")
    say(f"installing {', '.join(missing)}")
    _apt("update", "--quiet")
    _apt("install", "--quiet", "--yes", "--no-install-recommends", *missing)


def _apt(*arguments: str) -> None:
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *arguments], capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        raise ClusterError(f"apt-get {' '.join(arguments)} failed: {(done.stdout + done.stderr)[-1000:]}")
