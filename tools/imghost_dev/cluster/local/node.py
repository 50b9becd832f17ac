"""The node as one tree of processes in namespaces of their own: network, mounts, process ids, host name, IPC.

All that its programs do to interfaces, firewall rules, mounts and processes happens in there, so when the first process
ends nothing is left but the state folder and empty control groups.
"""

import contextlib
import json
import os
import shutil
import signal
import sys
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path

from imghost_dev.cluster.local import cgroups, control_plane, init, network, pki, worker
from imghost_dev.cluster.local.layout import Layout
from imghost_dev.cluster.provider import ClusterError, wait_until
from imghost_dev.program_cache import Programs

NAMESPACES = ("--net", "--mount", "--uts", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child")
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
FOLDERS = ("config", "lib", "log", "pki")


@dataclass(frozen=True)
class Running:
    """A node that was started: the process that holds its namespaces, and where it is reached."""

    pid: int
    started: str  # process ids are used again; with the time of its start it is the one we mean
    address: str

    def is_alive(self) -> bool:
        """Whether that process still runs."""
        return _start_time(self.pid) == self.started

    def enter(self) -> list[str]:
        """The command that runs another one where the node's files and sockets are."""
        return ["nsenter", f"--mount=/proc/{self.pid}/ns/mnt", f"--net=/proc/{self.pid}/ns/net", "--"]


def find(layout: Layout) -> Running | None:
    """The node of this layout, if it runs."""
    try:
        running = Running(**json.loads(_record(layout).read_text()))
    except FileNotFoundError:
        return None
    return running if running.is_alive() else None


def start(layout: Layout, kubernetes: Programs, pause: str) -> Running:
    """Start a node where none is. It may not be ready for a few seconds; its `admin.kubeconfig` works then."""
    for folder in FOLDERS:
        (layout.state / folder).mkdir(parents=True)
    cgroups.create(layout.cgroup)
    description = layout.state / "node.json"
    waiting, word = os.pipe()  # the first process starts the others when this file exists; without it, it ends
    try:
        pid = _hold_namespaces(description, waiting, layout.log / "init.log")
        wait_until(lambda: _has_own_network(pid, layout), within=10, why=lambda: "no network namespace")
        _, address = network.connect(pid, layout.interface)
        running = Running(pid, _start_time(pid), str(address))
        _record(layout).write_text(json.dumps(asdict(running)))
        programs = _programs(layout, kubernetes, address, pause)
        description.write_text(json.dumps({"programs": programs, **_folders(layout)}, indent=1))
        os.write(word, b"go\n")
    finally:
        os.close(waiting)
        os.close(word)
    return running


def remove(layout: Layout) -> None:
    """End the node and remove what is left of it, however it ended and however far its start came."""
    running = find(layout)
    if running:
        os.kill(running.pid, signal.SIGKILL)  # its child is signalled by the kernel, and takes all others with it
        wait_until(lambda: not running.is_alive(), within=10, why=lambda: f"process {running.pid} does not end")
        with contextlib.suppress(ChildProcessError):  # only the process that started it can wait for it
            os.waitpid(running.pid, 0)
    network.remove(layout.interface)
    cgroups.remove(layout.cgroup)
    if layout.state.exists():
        shutil.rmtree(layout.state)


def _hold_namespaces(description: Path, waiting: int, log: Path) -> int:
    """Start the process that holds the namespaces and has init as its child; it stays when we end."""
    argv = ["unshare", *NAMESPACES, sys.executable, "-I", init.__file__, str(description)]
    with log.open("ab") as output:
        return os.posix_spawnp(
            argv[0],
            argv,
            ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, waiting, 0),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
            ],
            setsid=True,
        )


def _programs(layout: Layout, kubernetes: Programs, address: IPv4Address, pause: str) -> dict[str, list[str]]:
    def where(name: str) -> Path:
        found = shutil.which(name)
        if found and name == "containerd":
            return Path(found)
        return kubernetes.path(name)

    certificates = pki.create(layout.pki, address)
    return {
        **control_plane.programs(where, layout, certificates, address),
        **worker.programs(where, layout, certificates, address, pause),
    }


def _folders(layout: Layout) -> dict[str, str]:
    return {"lib": str(layout.lib), "log": str(layout.log), "config": str(layout.config)}


def _record(layout: Layout) -> Path:
    return layout.state / "running.json"


def _has_own_network(pid: int, layout: Layout) -> bool:
    if not _start_time(pid):
        message = (layout.log / "init.log").read_text().strip()
        raise ClusterError(
            f"the node's first process ended immediately; it needs a root that may make namespaces: {message}"
        )
    return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()


def _start_time(pid: int) -> str:
    """When a process started, in the kernel's own count; empty when it has ended or only waits to be collected."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if fields[0] == "Z" else fields[19]
