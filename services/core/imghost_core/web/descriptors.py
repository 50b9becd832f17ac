"""File descriptors: every connection, spooled upload and connection to a backend needs one."""

import resource
from typing import Final

MOST: Final = 65_536  # more would only cost the kernel memory
RESERVE: Final = 512  # for files, uploads, and connections to the database, the store and imaging
OPS_SHARE: Final = 8  # an eighth is kept for the ops listener, so that a flood cannot silence probes and metrics


def raise_limit() -> int:
    """Raise the soft limit of this process to the hard one, at most to `MOST`; returns what it is now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return wanted


def share(descriptors: int, asked: int) -> tuple[int, int]:
    """How many connections the public listener may have, `asked` if they fit, and how many the ops listener. Pure."""
    available = max(OPS_SHARE * 2, descriptors - RESERVE)
    ops = available // OPS_SHARE
    return min(asked, available - ops), min(asked, ops)
