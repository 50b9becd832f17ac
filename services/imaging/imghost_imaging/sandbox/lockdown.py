"""Takes from a process everything that decoding does not need. What the kernel cannot do is left out and reported."""

import resource
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from imghost_imaging.sandbox import kernel, landlock, seccomp

_DESCRIPTORS = 4  # standard streams, which are /dev/null, and the channel
# Not RLIMIT_NPROC: it counts threads of all processes of the user, and libvips needs threads. Seccomp denies processes.
_LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 0,
    resource.RLIMIT_MEMLOCK: 0,
    resource.RLIMIT_MSGQUEUE: 0,
    resource.RLIMIT_NOFILE: _DESCRIPTORS,
}
_STATUS, _OOM_SCORE = Path("/proc/self/statm"), Path("/proc/self/oom_score_adj")
_RESIDENT, _DATA = 1, 5  # fields of statm, in pages: resident memory; private writable memory
_PAGE = resource.getpagesize()


def apply() -> list[str]:
    """Lock this process down for good; returns which of `LAYERS` are in force. Raises `OSError` without `limits`."""
    with suppress(OSError):
        kernel.allow_inspection()  # else the file belongs to root
        _OOM_SCORE.write_text("1000")  # out of memory, the kernel ends this process first
    kernel.forbid_inspection()
    kernel.forbid_new_privileges()
    return [name for name, deny in _STEPS.items() if deny()]


def _limit() -> bool:
    for limit, value in _LIMITS.items():
        resource.setrlimit(limit, (value, value))
    return True


def _try(deny: Callable[[], None]) -> bool:
    try:
        deny()
    except OSError:
        return False
    return True


# In this order: Landlock needs a descriptor for a moment, and seccomp denies the calls of the others.
_STEPS: dict[str, Callable[[], bool]] = {
    "landlock": lambda: _try(landlock.deny_all),
    "limits": _limit,
    "seccomp": lambda: _try(seccomp.install),
}
LAYERS = tuple(_STEPS)


def data_bytes() -> int:
    """Private writable memory of this process now; call it before `apply`, which takes /proc away."""
    return int(_STATUS.read_text().split()[_DATA]) * _PAGE


def resident_bytes() -> int:
    """Resident memory of this process now."""
    return int(_STATUS.read_text().split()[_RESIDENT]) * _PAGE


def limit_work(memory: int, cpu_seconds: int) -> None:
    """Limit private writable memory (bytes) and CPU time from now on: beyond, allocations fail, or SIGXCPU ends it."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
