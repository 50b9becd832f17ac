"""Start processes that end with this one, and wait for them without a thread each. Linux only."""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from imghost_local.pginstall import Account

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG = 1  # prctl(2)


def start(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    log: Path,
    account: Account | None = None,
    death_signal: signal.Signals = signal.SIGKILL,
) -> subprocess.Popen[bytes]:
    """Start `argv` with exactly `env`, in a session of its own, its output appended to `log`.

    Call it from the main thread: the kernel sends `death_signal` when the thread that started it ends, so the process
    ends even after `kill -9` of us. Raises `OSError` when the program cannot be started.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as output:  # noqa: PTH123 - a descriptor
        return subprocess.Popen(
            argv,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            preexec_fn=_die_with(os.getpid(), death_signal),  # noqa: PLW1509 - only makes two system calls
        )


def _die_with(parent: int, number: signal.Signals) -> Callable[[], None]:
    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return prepare


async def wait_for_exit(process: subprocess.Popen[bytes]) -> int:
    """Wait until `process` has ended. Returns its exit code, negative when a signal ended it."""
    if process.poll() is not None:
        return process.returncode
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    descriptor = os.pidfd_open(process.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.wait()


async def stop(process: subprocess.Popen[bytes], *, number: signal.Signals, within: float) -> None:
    """Ask the process to end with `number`; after `within` seconds kill it and all that it started."""
    if process.poll() is None:
        process.send_signal(number)
        with suppress(TimeoutError):
            await asyncio.wait_for(wait_for_exit(process), within)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    await wait_for_exit(process)
