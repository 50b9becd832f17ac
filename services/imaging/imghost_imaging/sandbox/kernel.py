"""Calls of the kernel that Python has no function for."""

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38  # linux/prctl.h


def syscall(number: int, *arguments: int | ctypes.c_void_p | None) -> int:
    """Call the kernel. Raises `OSError`."""
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(_libc.syscall(ctypes.c_long(number), *values))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def die_with_parent(signal: int) -> None:
    """Let the kernel send this process `signal` when the thread that forked it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal)


def allow_inspection() -> None:
    """Let this process be an ordinary one of its user, who then may write to its files in /proc."""
    _prctl(_PR_SET_DUMPABLE, 1)


def forbid_inspection() -> None:
    """Let no process of the same user attach to this one, nor read its memory and environment."""
    _prctl(_PR_SET_DUMPABLE, 0)


def forbid_new_privileges() -> None:
    """Let no program that this process runs have more rights; Landlock and seccomp require it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
