"""The state folder."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from imghost_local.addresses import Addresses, bindable
from imghost_local.errors import UserError
from imghost_local.objects import Objects
from imghost_local.state import AlreadyRunning, State
from support.eventually import eventually

HOLD = """
import sys, time
from pathlib import Path
from imghost_local.state import State
with State(Path(sys.argv[1])).lock():
    print("held", flush=True)
    time.sleep(600)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_other_users_cannot_read_it(state: State) -> None:
    """Others can read nothing in the folder: it holds keys and passwords; git does not see it either."""
    state.documents.write("credentials/demo.json", {"key": "ih_x"})
    assert mode(state.root) & 0o066 == 0
    assert mode(state.root / "credentials") == 0o700
    assert mode(state.root / "credentials/demo.json") == 0o600
    assert (state.root / ".gitignore").read_text() == "*\n"


def test_only_one_up_runs_and_a_killed_one_releases_the_folder(state: State) -> None:
    """A second `up` names the holder of the folder; after `kill -9` of the holder the folder is free."""
    holder = subprocess.Popen([sys.executable, "-c", HOLD, str(state.root)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert state.holder() == holder.pid
        with pytest.raises(AlreadyRunning, match=rf"process {holder.pid}\b"), state.lock():
            pass
    finally:
        holder.kill()
        holder.wait()
        assert holder.stdout
        holder.stdout.close()
    assert state.holder() is None
    with state.lock():
        assert int((state.root / "lock").read_text()) == os.getpid()


def test_a_damaged_file_is_named(state: State) -> None:
    """A document that is no JSON is an error that names the file and the way out, not a traceback."""
    (state.root / "ports.json").write_text("{")
    with pytest.raises(UserError, match=r"ports\.json is damaged .*imghost reset"):
        state.documents.read("ports.json")


def test_objects_are_kept_over_a_restart(state: State) -> None:
    """An object keeps its uid; its generation grows with its meaning, not with labels; status is kept."""
    desired = {"kind": "ConfigMap", "metadata": {"namespace": "n", "name": "c"}, "data": {"A": "1"}}
    first = Objects(state.documents).apply(desired)
    again = Objects(state.documents)
    labelled = again.apply({**desired, "metadata": {**desired["metadata"], "labels": {"x": "y"}}})  # type: ignore[dict-item]
    again.put({**labelled, "status": {"phase": "fine"}})
    changed = again.apply({**desired, "data": {"A": "2"}})
    assert [state["metadata"]["generation"] for state in (first, labelled, changed)] == [1, 1, 2]
    assert first["metadata"]["uid"] == changed["metadata"]["uid"]
    assert changed["status"] == {"phase": "fine"}
    assert "labels" not in changed["metadata"]
    versions = [int(state["metadata"]["resourceVersion"]) for state in (first, labelled, changed)]
    assert versions == sorted(set(versions))


async def test_two_installations_never_share_addresses(state: State) -> None:
    """The net of one `up` is taken from all others, also when both would begin with the same one."""
    one, other = Addresses(state.root), Addresses(state.root)
    try:
        first, second = one.take(), one.take()
        foreign = other.take()
        assert len({first, second, foreign}) == 3
        assert foreign.rsplit(".", 1)[0] != first.rsplit(".", 1)[0]
        assert bindable(first, 8080)
    finally:
        one.close()
        other.close()
    again = Addresses(state.root)
    assert again.take() == first
    again.close()
    await eventually(lambda: bindable(first, 8080))
