"""Real programs as child processes of the test run: started, waited for, stopped, never left behind."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from imghost_local import processes
from imghost_local.postgres import free_port

__all__ = ["HOST", "Process", "accepts", "free_port"]

HOST = "127.0.0.1"


def accepts(port: int) -> bool:
    """Whether something on 127.0.0.1 accepts connections at this port."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0


class Process:
    """One program with its output in a log file.

    It is in a session of its own, so a Ctrl-C on the terminal reaches the test run only, which then stops its programs
    in order; should the test run be killed instead, the kernel kills them.
    """

    def __init__(self, argv: Sequence[str | Path], log: Path, *, env: Mapping[str, str] | None = None) -> None:
        self.name, self.log = Path(argv[0]).name, log
        settings = {**os.environ, **(env or {})}
        self._child = processes.start([str(part) for part in argv], env=settings, cwd=log.parent, log=log)

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """The status with which the program ended; None while it runs."""
        return self._child.poll()

    def wait_until(self, ready: Callable[[], bool], within: float) -> Self:
        """Poll until the program is ready.

        Raises RuntimeError with the end of its log when it dies or takes too long; it is not running then.
        """
        deadline = time.monotonic() + within
        while not ready():
            if self._child.poll() is not None:
                raise RuntimeError(f"{self.name} ended with status {self._child.returncode}; {self._last_words()}")
            if time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"{self.name} was not ready within {within:.0f} s; {self._last_words()}")
            time.sleep(0.05)
        return self

    def stop(self, how: signal.Signals = signal.SIGTERM, within: float = 10) -> None:
        """Ask the program to end and wait for it; kill its whole session when it does not listen."""
        if self._child.poll() is not None:
            return
        self._child.send_signal(how)
        try:
            self._child.wait(within)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()

    def _last_words(self, lines: int = 20) -> str:
        return f"the end of {self.log}:\n" + "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
