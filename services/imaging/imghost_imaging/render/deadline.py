"""Computes pixels with a time limit: libvips computes lazily, so the work happens here."""

import time
from collections.abc import Callable
from typing import Any

import pyvips

from imghost_core.contract.errors import Overloaded


def check_deadline(deadline: float) -> None:
    """Raise `Overloaded` when `deadline`, on the clock of `time.monotonic`, has passed."""
    if time.monotonic() > deadline:
        raise Overloaded(
            "Processing the image took too long and was stopped. Nothing was stored; retry, or upload a smaller copy.",
            retry_after=5,
        )


def shrink(image: pyvips.Image, box: int, deadline: float) -> pyvips.Image:
    """A copy in memory whose longest side is at most `box`; frames keep their number."""
    return to_memory(image.thumbnail_image(box, height=box, size="down"), deadline)


def to_memory(image: pyvips.Image, deadline: float) -> pyvips.Image:
    """Compute the pixels now: a lazy pipeline can be saved only once, and would report errors only then."""
    image = image.copy()
    image.set_progress(True)
    image.signal_connect("eval", _stop_after(deadline))
    memory: pyvips.Image = image.copy_memory()
    return memory


def _stop_after(deadline: float) -> Callable[[Any, Any], None]:
    def stop_when_late(image: Any, _progress: Any) -> None:
        if time.monotonic() > deadline:
            image.set_kill(True)

    return stop_when_late
