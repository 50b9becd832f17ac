"""What decoders say about a file: errors, which are exceptions, and warnings, which libvips logs.

Only a warning says that the JPEG decoder found damage. Libvips logs their number when the decoder is closed, in the
thread that releases the image, and pyvips passes it on to `logging`.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pyvips

ERRORS = (pyvips.Error, UnicodeDecodeError)
"""What pyvips raises about a damaged file: its message may contain bytes of the file."""
_JPEG_DAMAGE = "read gave "  # N warnings
_current = threading.local()


@contextmanager
def collect_damage() -> Iterator[list[str]]:
    """What the JPEG decoder says of images that are opened and released in this thread, within the block."""
    found: list[str] = []
    _current.damage = found
    try:
        yield found
    finally:
        del _current.damage


def start() -> None:
    """Take the warnings out of the log, in which they would be noise about files of users."""
    logger = logging.getLogger("pyvips")
    logger.setLevel(logging.WARNING)
    logger.addFilter(_keep)  # adding it again changes nothing


def _keep(record: logging.LogRecord) -> bool:
    found: list[str] | None = getattr(_current, "damage", None)
    message = record.getMessage()
    if found is not None and _JPEG_DAMAGE in message:
        found.append(message)
    return False
