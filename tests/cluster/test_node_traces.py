"""The local node leaves a machine as it found it."""

import json
import os
import secrets
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from imghost_dev.cluster.local import cgroups, node
from imghost_dev.cluster.local.layout import Layout
from imghost_dev.cluster.local.provider import Local
from imghost_dev.cluster.provider import ClusterError, Times
from support.eventually import eventually

# Where programs of a node write on an ordinary machine, and settings that a kubelet changes for the whole machine.
FOLDERS = (
    "/var/lib/kubelet", "/var/lib/containerd", "/var/lib/cni", "/var/lib/etcd", "/var/log/pods", "/var/log/containers",
    "/run/containerd", "/run/netns", "/run/xtables.lock", "/opt/containerd", "/opt/cni", "/usr/libexec/kubernetes",
)  # fmt: skip
SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops", "net/ipv4/ip_forward")


def _machine(layout: Layout) -> dict[str, object]:
    """All that a node could leave on this machine, apart from what others on it do meanwhile."""
    return {
        "processes": [pid for pid in _processes() if str(layout.state) in _command(pid)],
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if str(layout.state) in line],
        "interface": [link for link in _links() if link == layout.interface],
        "cgroups": list(cgroups.find(layout.cgroup)),
        "state": layout.state.exists(),
        "folders": [folder for folder in FOLDERS if Path(folder).exists()],
        "settings": {name: Path("/proc/sys", name).read_text() for name in SETTINGS},
    }


def _processes() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _links() -> list[str]:
    shown = subprocess.run(["ip", "-json", "link", "show"], capture_output=True, text=True, check=True)
    return [link["ifname"] for link in json.loads(shown.stdout)]


@pytest.fixture
def layout(tmp_path: Path) -> Iterator[Layout]:
    """Names that no other node has; whatever a failed test left of it is removed."""
    layout = Layout(secrets.token_hex(3), tmp_path / "state")
    yield layout
    Local(layout).down()


@pytest.mark.parametrize("crash", [False, True], ids=["running", "killed"])
async def test_a_removed_node_leaves_nothing(layout: Layout, *, crash: bool) -> None:
    """No process, mount, interface, control group, file or kernel setting stays, also when the node was killed."""
    before = _machine(layout)
    provider = Local(layout)
    provider.up(Times())
    running = node.find(layout)
    assert running is not None
    assert _machine(layout) != before
    if crash:
        os.kill(running.pid, signal.SIGKILL)
        await eventually(lambda: not running.is_alive(), why="the node's first process does not end")
        assert not provider.is_up()
    provider.down()
    await eventually(lambda: _machine(layout) == before, why="the machine is not as it was")


def test_a_start_that_failed_leaves_nothing(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the node cannot start, for example without a program, `down` still removes what there was of it."""
    before = _machine(layout)
    provider = Local(layout)
    monkeypatch.setattr(node, "_programs", _no_programs)
    with pytest.raises(ClusterError, match="for this test"):
        provider.up(Times())
    provider.down()
    assert _machine(layout) == before


def _no_programs(*_: object) -> dict[str, list[str]]:
    raise ClusterError("no programs, for this test")


def test_removing_what_is_not_there_is_fine(layout: Layout) -> None:
    """`down` may be called at any time."""
    Local(layout).down()
    assert not layout.state.exists()
