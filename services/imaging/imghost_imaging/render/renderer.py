"""The judge of untrusted bytes: the pipeline from a file to its ladder, every refusal in its place."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import pyvips

from imghost_core.contract.errors import EmbeddedContent, EmptyFile, UnsupportedFormat
from imghost_core.object_keys import VariantName
from imghost_imaging.formats import EXTENSIONS, Format
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render import ladder, limits, sniff
from imghost_imaging.render.ladder import Ladder
from imghost_imaging.render.limits import Header, Limits

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rendered:
    """What an original turned out to be, and the files made from it."""

    format: Format
    header: Header
    ladder: Ladder


class Renderer:
    """Blocking work on images; call it in a slot's thread. `seconds` bound the work on one image."""

    def __init__(
        self, formats: tuple[Format, ...], bounds: Limits, metrics: ImagingMetrics, *, seconds: float = 30.0
    ) -> None:
        self._formats, self._limits, self._metrics, self._seconds = formats, bounds, metrics, seconds

    def judge(self, data: bytes) -> Rendered:
        """Refuse `data`, or make its ladder.

        Raises `Unprocessable` (`empty_file`, `polyglot`, `too_many_pixels`, `too_many_frames`, `corrupt_image`),
        `UnsupportedMedia`, and `Unavailable` (`overloaded`) when the work takes too long.
        """
        deadline = time.monotonic() + self._seconds
        kind = self._identify(data)
        _refuse_polyglot(data, kind)
        header = limits.read(data, kind, self._limits)
        with self._metrics.render.labels("ladder").time():
            return Rendered(kind, header, _decoding(lambda: ladder.build(data, header, deadline)))

    def variant(self, mezzanine: bytes, name: VariantName, kind: str) -> bytes:
        """The variant `name` from a stored mezzanine of extension `kind`; raises `Unprocessable` if that is damaged."""
        deadline = time.monotonic() + self._seconds
        with self._metrics.render.labels("variant").time():
            return _decoding(lambda: ladder.one(mezzanine, name, kind, deadline))

    def _identify(self, data: bytes) -> Format:
        if not data:
            raise EmptyFile("The file is empty. Select the image again, then upload it.")
        kind = sniff.identify(data)
        if kind in self._formats and kind is not None:
            return kind
        name = EXTENSIONS[kind].upper() if kind else sniff.stranger(data)
        what = f"This is {name}, which is not hosted here" if name else "The content is not an image of a known format"
        raise UnsupportedFormat(f"{what}, whatever its name says. Send one of: {', '.join(self._formats)}.")


def _refuse_polyglot(data: bytes, kind: Format) -> None:
    if other := sniff.hidden(data, kind):
        raise EmbeddedContent(
            f"The image also holds {other}, which other programs would open. "
            "Open it in an image editor, save it as a new file, and send that."
        )


def _decoding(work: Callable[[], _T]) -> _T:
    """Run lazy work: libvips computes late, so its complaint about the input may come from any step."""
    try:
        return work()
    except pyvips.Error as error:
        raise limits.corrupt() from error
