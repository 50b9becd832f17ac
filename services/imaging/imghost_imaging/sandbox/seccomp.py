"""A seccomp filter: the system calls that decoding needs are allowed, every other fails with EPERM.

Written as instructions of classic BPF (Linux, Documentation/userspace-api/seccomp_filter.rst), since no maintained
library for Python exists: docs/adr/0024. Pure up to `install`.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Iterator
from typing import NamedTuple

from imghost_imaging.sandbox import kernel
from imghost_imaging.sandbox.syscalls import ALLOWED, ARCHITECTURES, Architecture

_LOAD, _EQUALS, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x15, 0x45, 0x35, 0x06  # BPF_LD|W|ABS, JEQ, JSET, JGE, RET|K
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_X32 = 0x40000000
_SET_MODE_FILTER, _ALL_THREADS = 1, 1
_MAP_SHARED, _PROT_EXEC, _CLONE_THREAD = 0x01, 0x04, 0x00010000


class Instruction(NamedTuple):
    """`code`, how many instructions to skip when a comparison holds or does not, and its operand."""

    code: int
    if_true: int
    if_false: int
    operand: int


class _Filter(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("jt", ctypes.c_uint8), ("jf", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filters", ctypes.POINTER(_Filter)))


def install() -> None:
    """Filter the system calls of this process until it ends. Raises `OSError` where the kernel cannot."""
    machine = ARCHITECTURES.get(platform.machine())
    if machine is None:
        raise OSError(errno.ENOSYS, f"no list of system calls for {platform.machine()}")
    instructions = [_Filter(one.code, one.if_true, one.if_false, one.operand) for one in build(machine, os.getpid())]
    filters = (_Filter * len(instructions))(*instructions)
    program = _Program(len(instructions), filters)
    address = ctypes.cast(ctypes.byref(program), ctypes.c_void_p)
    kernel.syscall(machine.numbers["seccomp"], _SET_MODE_FILTER, _ALL_THREADS, address)


def build(machine: Architecture, process: int) -> Iterator[Instruction]:
    """The filter for the process of this id."""
    number = machine.numbers
    yield _load(_ARCHITECTURE)
    yield Instruction(_EQUALS, 1, 0, machine.audit)
    yield _end(_KILL)
    yield _load(_NUMBER)
    yield Instruction(_AT_LEAST, 0, 1, _X32)
    yield _end(_KILL)
    for name in ALLOWED:
        if name in number:
            yield from _when(number[name], [_end(_ALLOW)])
    yield from _when(number["mmap"], [*_without(3, _MAP_SHARED), *_without(2, _PROT_EXEC), _end(_ALLOW)])
    yield from _when(number["mprotect"], [*_without(2, _PROT_EXEC), _end(_ALLOW)])
    yield from _when(number["clone"], [_load(_ARGUMENTS), *_unless(_ANY_BIT, _CLONE_THREAD), _end(_ALLOW)])
    yield from _when(number["clone3"], [_end(_ERRNO | errno.ENOSYS)])  # its flags are in memory: C libraries use clone
    yield from _when(number["tgkill"], [_load(_ARGUMENTS), *_unless(_EQUALS, process), _end(_ALLOW)])
    yield from _when(number["prlimit64"], [_load(_ARGUMENTS), *_unless(_EQUALS, 0), _end(_ALLOW)])
    yield _end(_ERRNO | errno.EPERM)


def _when(number: int, then: list[Instruction]) -> Iterator[Instruction]:
    yield Instruction(_EQUALS, 0, len(then), number)
    yield from then


def _without(argument: int, bits: int) -> list[Instruction]:
    """Refuse the call when `argument` has one of `bits`."""
    return [_load(_ARGUMENTS + 8 * argument), Instruction(_ANY_BIT, 0, 1, bits), _end(_ERRNO | errno.EPERM)]


def _unless(comparison: int, operand: int) -> list[Instruction]:
    """Refuse the call unless what was loaded compares."""
    return [Instruction(comparison, 1, 0, operand), _end(_ERRNO | errno.EPERM)]


def _load(offset: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, offset)


def _end(action: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, action)
