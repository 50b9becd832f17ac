"""The control group below which all pods of a node are, in every hierarchy of the machine (version 1 or 2)."""

import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
CONTROLLERS = ("cpu", "cpuset", "io", "memory", "pids")


def create(name: str) -> None:
    """Make the group; in version 1 a new cpuset is empty, and the kubelet does not fill it."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):
            if (hierarchy / setting).exists():
                (group / setting).write_text((hierarchy / setting).read_text())
    if _is_unified():
        available = (ROOT / "cgroup.controllers").read_text().split()
        wanted = " ".join(f"+{controller}" for controller in CONTROLLERS if controller in available)
        (ROOT / "cgroup.subtree_control").write_text(wanted)


def remove(name: str, within: float = 10) -> None:
    """Remove the group and those below it; the kernel releases ended processes only after a moment."""
    deadline = time.monotonic() + within
    while groups := list(find(name)):
        for group in groups:
            try:
                group.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                if time.monotonic() > deadline:
                    raise
        time.sleep(0.02)


def find(name: str) -> Iterator[Path]:
    """Every folder of the group, the deepest first."""
    for hierarchy in _hierarchies():
        top = hierarchy / name
        if top.exists():
            below = [path for path in top.rglob("*") if path.is_dir()]
            yield from sorted(below, key=lambda path: len(path.parts), reverse=True)
            yield top


def _hierarchies() -> list[Path]:
    if _is_unified():
        return [ROOT]
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [Path(where) for _, where, kind, *_ in mounts if kind in {"cgroup", "cgroup2"}]


def _is_unified() -> bool:
    return (ROOT / "cgroup.controllers").exists()
