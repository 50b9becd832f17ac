"""Landlock without any rule: no file can be opened, no TCP port reached, no process outside signalled.

Layout and rights by version: Linux, Documentation/userspace-api/landlock.rst.
"""

import ctypes
import os

from imghost_imaging.sandbox import kernel

_CREATE_RULESET, _RESTRICT_SELF = 444, 446  # the same on all architectures
_GET_VERSION = 1
_FILES, _REFER, _TRUNCATE, _DEVICES = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
_TCP, _SCOPE = 0b11, 0b11  # bind, connect; abstract UNIX sockets, signals


class _Handled(ctypes.Structure):
    """What is denied unless a rule allows it."""

    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


def deny_all() -> None:
    """Deny this process all that the kernel's version of Landlock knows. Raises `OSError` where there is none."""
    version = kernel.syscall(_CREATE_RULESET, None, 0, _GET_VERSION)
    files = _FILES | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)  # noqa: PLR2004
    handled = _Handled(
        files | (_DEVICES if version >= 5 else 0),  # noqa: PLR2004
        _TCP if version >= 4 else 0,  # noqa: PLR2004
        _SCOPE if version >= 6 else 0,  # noqa: PLR2004
    )
    # An older kernel accepts the longer structure, since the fields that it does not know are zero.
    address = ctypes.cast(ctypes.byref(handled), ctypes.c_void_p)
    rules = kernel.syscall(_CREATE_RULESET, address, ctypes.sizeof(handled), 0)
    try:
        kernel.syscall(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
