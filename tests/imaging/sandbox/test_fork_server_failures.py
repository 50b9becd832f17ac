"""A fork server that hangs, talks nonsense or cannot fork: no job waits forever, or gets the answer to another."""

import os
import signal
import sys
from pathlib import Path

import pytest

from imghost_imaging.sandbox import server_process
from imghost_imaging.sandbox.sandbox import Job, Sandbox
from imghost_imaging.sandbox.server_process import NotForked, NotStarted, ServerEnded
from support import denied_forks, exploits
from support.eventually import eventually

PROGRAM = [sys.executable, "-I", exploits.__file__]
ECHO = Job("end", {"how": "echo"}, 64 * 1024**2, 20, 100)


async def test_a_fork_server_that_does_not_answer_in_time_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its late answer would be read as that to the next question; so it is killed, and another one started."""
    monkeypatch.setattr(server_process, "_ANSWER_SECONDS", 0.2)
    sandbox = Sandbox(PROGRAM, 0)
    async with sandbox.opened():
        stopped = sandbox.server_pid
        os.kill(stopped, signal.SIGSTOP)
        with pytest.raises(ServerEnded):
            await sandbox.run(ECHO, b"1")
        await eventually(lambda: sandbox.server_pid != stopped, within=20, why="another one is started")
        sandbox.check()
        assert (await sandbox.run(ECHO, b"2")).bodies == [b"2"]


@pytest.mark.parametrize("report", ['{"lay', "[]", "\\xff"])
def test_a_report_that_makes_no_sense_is_a_failed_start(tmp_path: Path, report: str) -> None:
    """The program is killed, and the administrator reads why."""
    program = tmp_path / "nonsense.py"
    program.write_text(f"import os, time\nos.write(0, b'{report}')\ntime.sleep(60)\n")
    with pytest.raises(NotStarted):
        Sandbox([sys.executable, "-I", str(program)], 0)


def test_a_program_that_does_not_exist_is_a_failed_start() -> None:
    """As with any other reason the supervisor tries again."""
    with pytest.raises(NotStarted, match="cannot be started"):
        Sandbox(["/nonexistent/program"], 0)


async def test_a_fork_that_the_kernel_denies_fails_one_job(tmp_path: Path) -> None:
    """Without a free process id the job fails for itself; the fork server goes on, and leaks no descriptor."""
    sandbox = Sandbox(denied_forks.command(exploits.__file__, range(2, 5), tmp_path), 0)
    async with sandbox.opened():
        pid = sandbox.server_pid
        before = count_descriptors(pid)
        for _ in range(3):
            with pytest.raises(NotForked):
                await sandbox.run(ECHO, b"1")
        assert (await sandbox.run(ECHO, b"2")).bodies == [b"2"]
        assert (sandbox.server_pid, count_descriptors(pid)) == (pid, before)


def count_descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
