"""What an exploited decoder can do: nothing."""

import asyncio
import os
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from imghost_imaging.sandbox.sandbox import ChildKilled, Job, Sandbox
from imghost_imaging.sandbox.server_process import NotStarted
from support import exploits
from support.eventually import eventually

PROGRAM = [sys.executable, "-I", exploits.__file__]
MIB = 1024**2


def job(work: str, *, seconds: float = 20, memory: int = 64 * MIB, **arguments: object) -> Job:
    return Job(work, arguments, memory, seconds, MIB)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox whose children are exploited."""
    made = Sandbox(PROGRAM, 1)
    async with made.opened():
        yield made


async def test_all_layers_are_in_force_here(sandbox: Sandbox) -> None:
    """This machine has Landlock and seccomp, so the tests below test them."""
    assert sandbox.layers == ["landlock", "limits", "seccomp"]


@pytest.mark.parametrize("what", exploits.ATTEMPTS)
async def test_an_exploited_decoder_is_denied(sandbox: Sandbox, what: str) -> None:
    """Files, network, programs, processes, memory of others, more rights: each attempt fails with an error."""
    answer = await sandbox.run(job("attempt", what=what), b"")
    assert answer.head["result"]["error"] in {"PermissionError", "OSError", "BlockingIOError"}, answer.head
    assert not Path("/tmp/written").exists()


async def test_nothing_of_the_service_is_in_a_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its environment has no credential, since the fork server was started by exec with a list of names."""
    monkeypatch.setenv("DATABASE_URL", "postgresql://canary")
    sandbox = Sandbox(PROGRAM, 0)
    async with sandbox.opened():
        seen = (await sandbox.run(job("see"), b"")).head["result"]
    assert "canary" not in str(seen)
    allowed = {"GLIBC_TUNABLES", "LANG", "LC_ALL", "LC_CTYPE", "MALLOC_ARENA_MAX", "VIPS_CONCURRENCY"}
    assert set(seen["environment"]) <= allowed


async def test_each_job_has_a_new_child(sandbox: Sandbox) -> None:
    """What one image did to its child cannot reach the next."""
    pids = [(await sandbox.run(job("see"), b"")).head["result"]["pid"] for _ in range(5)]
    assert len(set(pids)) == 5


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        ({"how": "signal"}, "crash"),
        ({"how": "fault"}, "crash"),
        ({"how": "exit"}, "crash"),
        ({"how": "nonsense"}, "protocol"),
        ({"how": "sleep", "seconds": 0.5}, "time"),
        ({"how": "loop", "seconds": 0.5}, "time"),
    ],
)
async def test_a_child_that_ends_or_hangs_is_reported(
    sandbox: Sandbox, arguments: dict[str, object], cause: str
) -> None:
    """Each end without an answer has its cause, within the time limit, and the next job is done."""
    with pytest.raises(ChildKilled) as caught:
        await sandbox.run(job("end", **arguments), b"")  # type: ignore[arg-type]
    assert caught.value.cause == cause
    assert (await sandbox.run(job("end", how="echo"), b"12345")).bodies == [b"12345"]


async def test_a_child_that_ends_while_it_waits_is_replaced() -> None:
    """The kernel may end a spare child to free memory: the next job does not fail for it, and no process is left."""
    sandbox = Sandbox(PROGRAM, 2)
    async with sandbox.opened():
        await eventually(lambda: len(children(sandbox.server_pid)) == 2, why="two wait")
        killed = children(sandbox.server_pid)
        for pid in killed:
            os.kill(pid, 9)
        await eventually(lambda: not any(is_running(pid) for pid in killed), why="both have ended")
        assert (await sandbox.run(job("end", how="echo"), b"1")).bodies == [b"1"]
        await eventually(lambda: not {*killed} & {*children(sandbox.server_pid)}, why="they are waited for")


def test_the_kernel_ends_a_child_first_when_memory_runs_out() -> None:
    """Its score is the highest, also for a user who is not root in a process that cannot be inspected."""
    program = (
        "import os, sys\n"
        "from imghost_imaging.sandbox import kernel, lockdown\n"
        "if os.getuid() == 0:\n    os.setgid(65534), os.setuid(65534)\n"
        "kernel.forbid_inspection()\n"
        "lockdown.apply()\n"
        "print('locked', flush=True)\n"
        "sys.stdin.read()\n"
    )
    command = [sys.executable, "-I", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text() == "1000\n"
        assert Path(f"/proc/{process.pid}/stat").stat().st_uid == 0  # not dumpable: files belong to root


async def test_an_answer_beyond_its_bound_is_refused(sandbox: Sandbox) -> None:
    """A compromised decoder cannot fill the memory of the service: its sizes are checked before they are read."""
    with pytest.raises(ChildKilled) as caught:
        await sandbox.run(job("end", how="echo"), bytes(MIB + 1))
    assert caught.value.cause == "protocol"


async def test_an_answer_is_held_once(sandbox: Sandbox) -> None:
    """The service has no second copy of it at any time."""
    most = job("end", how="echo")._replace(answer=16 * MIB)
    body = bytes(16 * MIB)
    tracemalloc.start()
    answer = await sandbox.run(most, body)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert answer.bodies == [body]
    assert peak < 24 * MIB


async def test_memory_beyond_the_limit_of_a_job_is_refused(sandbox: Sandbox) -> None:
    """An allocation within it succeeds; one beyond fails, and is reported as such."""
    within = await sandbox.run(job("end", how="memory", bytes=32 * MIB), b"")
    assert within.head["result"] == {"taken": 32 * MIB}
    assert 28 * MIB < within.peak < 60 * MIB
    beyond = await sandbox.run(job("end", how="memory", bytes=512 * MIB), b"")
    assert beyond.head == {"out_of_memory": True}


async def test_a_cancelled_job_leaves_no_child(sandbox: Sandbox) -> None:
    """A caller who leaves ends the child, which does not keep its memory until the time limit."""
    running = asyncio.create_task(sandbox.run(job("end", how="sleep"), b""))
    await eventually(lambda: len(children(sandbox.server_pid)) >= 2, why="one works, one waits")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await eventually(lambda: len(children(sandbox.server_pid)) == 1, why="only the spare is left")


async def test_a_job_that_is_cancelled_before_it_has_a_child_leaves_none(sandbox: Sandbox) -> None:
    """Callers who leave while their children are forked: the children end, and nothing is left to be waited for."""
    await eventually(lambda: len(children(sandbox.server_pid)) == 1, why="the spare is there")
    running = [asyncio.create_task(sandbox.run(job("end", how="sleep"), b"")) for _ in range(6)]
    await asyncio.sleep(0)
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await eventually(lambda: len(children(sandbox.server_pid)) == 1, why="only the spare is left")


async def test_the_end_of_the_sandbox_leaves_no_process() -> None:
    """Fork server and children are closed with it."""
    sandbox = Sandbox(PROGRAM, 3)
    async with sandbox.opened():
        await eventually(lambda: len(children(sandbox.server_pid)) == 3, why="three wait")
        pids = [sandbox.server_pid, *children(sandbox.server_pid)]
    await eventually(lambda: not any(is_running(pid) for pid in pids), why="all have ended")


async def test_the_fork_server_is_started_again() -> None:
    """When it is killed, its children end, jobs fail with ConnectionError for a moment, then they are done again."""
    restarts: list[int] = []
    sandbox = Sandbox(PROGRAM, 2, lambda: restarts.append(1))
    async with sandbox.opened():
        await eventually(lambda: len(children(sandbox.server_pid)) == 2, why="two wait")
        pids = children(sandbox.server_pid)
        os.kill(sandbox.server_pid, 9)

        async def works() -> bool:
            return (await sandbox.run(job("end", how="echo"), b"1")).bodies == [b"1"]

        await eventually(works, within=20, why="it works again", ignoring=(ConnectionError, ChildKilled))
        assert restarts == [1]
        assert not any(is_running(pid) for pid in pids)


def test_a_program_that_fails_its_check_is_not_started(tmp_path: Path) -> None:
    """The reason is one line for the administrator."""
    program = tmp_path / "broken.py"
    program.write_text(
        "from imghost_imaging.sandbox import fork_server\n"
        "def check():\n    raise RuntimeError('as planned')\n"
        "fork_server.serve({}, check)\n"
    )
    with pytest.raises(NotStarted, match="as planned"):
        Sandbox([sys.executable, "-I", str(program)], 0)


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False
