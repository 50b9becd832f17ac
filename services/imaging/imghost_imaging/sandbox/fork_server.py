"""The fork server: a process without credentials that has everything loaded, and forks a child for each piece of work.

It is started by `exec`, so nothing of the service is in its memory, and it never sees untrusted bytes itself. It must
have one thread: a child has only the thread that forked it, and would wait for the others. Standard input is the
socket on which the service asks: `fork`, with the channel of the child, and `end PID`. It ends with the service.
"""

import json
import os
import signal
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import NoReturn

from imghost_imaging.sandbox import child, kernel, lockdown
from imghost_imaging.sandbox.child import Work

MAX_MESSAGE = 4096
_NO_CHILD = -1
_CHANNEL = 3  # behind the standard streams
_IGNORED = (signal.SIGINT, signal.SIGTERM)  # sent to a whole group; the service decides when this ends


def serve(works: Mapping[str, Work], check: Callable[[], dict[str, str]]) -> None:
    """Fork children that do `works` until the service ends. `check` runs in a child: what it returns is
    logged, what it raises ends the start.
    """
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    kernel.forbid_inspection()
    control = socket.socket(fileno=os.dup(0))
    with suppress(ConnectionError):  # the service has ended, and children end with this process
        control.send(json.dumps(_try_child(check)).encode())
        while _answer(control, works):
            pass


def _answer(control: socket.socket, works: Mapping[str, Work]) -> bool:
    """Do what the service asks next; False when it has ended."""
    message, descriptors, _, _ = socket.recv_fds(control, MAX_MESSAGE, 1)
    command, _, argument = message.decode().partition(" ")
    if command:
        control.send((_fork(works, descriptors[0]) if command == "fork" else _end(int(argument))).encode())
    return bool(command)


def _fork(works: Mapping[str, Work], descriptor: int) -> str:
    """Fork a child for the channel `descriptor`; the answer is its process id, 0 when the kernel has none."""
    try:
        pid = os.fork()
    except OSError:
        pid = _NO_CHILD
    if pid:
        os.close(descriptor)
        return f"{max(pid, 0)}"
    try:
        channel = _become_child(descriptor)
        data_before = lockdown.data_bytes()
        lockdown.apply()
        child.serve(channel, works, data_before)
    finally:
        os._exit(1)


def _end(pid: int) -> str:
    """End a child, if it has not ended by itself; the answer is its wait status, and its peak memory in bytes.

    Memory that it shares with this process does not count.
    """
    os.kill(pid, signal.SIGKILL)  # it is not waited for before, so the id is still its own
    _, status, used = os.wait4(pid, 0)
    return f"{status} {max(0, used.ru_maxrss * 1024 - lockdown.resident_bytes())}"


def _try_child(check: Callable[[], dict[str, str]]) -> dict[str, object]:
    """What a child can be deprived of here, or why `check` fails in one."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _check_in_child(theirs.detach(), check)
    theirs.close()
    report = ours.makefile("rb").read()
    status = os.waitpid(pid, 0)[1]
    return dict(json.loads(report)) if report else {"error": f"the check of the decoder ended with status {status}"}


def _check_in_child(descriptor: int, check: Callable[[], dict[str, str]]) -> NoReturn:
    try:
        channel = _become_child(descriptor)
        report: dict[str, object] = {"layers": lockdown.apply()}
        try:
            report |= check()
        except Exception as error:  # noqa: BLE001 - the service ends with it
            report = {"error": f"{error}"}
        channel.sendall(json.dumps(report).encode())
    finally:
        os._exit(0)


def _become_child(descriptor: int) -> socket.socket:
    """Close everything but the channel; end when the fork server does."""
    kernel.die_with_parent(signal.SIGKILL)
    for number in _IGNORED:
        signal.signal(number, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(_CHANNEL):
        os.dup2(null, stream)
    if descriptor != _CHANNEL:
        os.dup2(descriptor, _CHANNEL)
    os.closerange(_CHANNEL + 1, 256)
    return socket.socket(fileno=_CHANNEL)
