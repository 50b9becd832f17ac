"""Run a command and fail if it leaves a process running: `python3 tools/imghost_dev/alone.py make test`.

The kernel hands every orphan among the command's descendants to us, so a child that remains when the command has ended
was left running. It is reported and ended, and the run fails. Linux only, nothing but the standard library.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36  # prctl(2)
GRACE_SECONDS = 2


def main(argv: list[str]) -> int:
    """Run the command; the exit code is its own, or 1 when it left something."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
    command = subprocess.Popen(argv)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: command.send_signal(number))
    status = command.wait()
    left = _left_after(GRACE_SECONDS)
    for pid, name in left.items():
        sys.stderr.write(f"error: left running, ended now: {name} (process {pid})\n")
        os.kill(pid, signal.SIGKILL)
    return 128 - status if status < 0 else status or int(bool(left))


def _left_after(grace: float) -> dict[int, str]:
    """Our children that do not end by themselves in time, with their command lines."""
    deadline = time.monotonic() + grace
    while (left := _children()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def _children() -> dict[int, str]:
    """Those that run; those that have ended are collected."""
    pids = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {pid: _command_line(pid) for pid in map(int, pids) if os.waitpid(pid, os.WNOHANG) == (0, 0)}


def _command_line(pid: int) -> str:
    return " ".join(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")).strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
