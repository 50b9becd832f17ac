"""The pipeline from untrusted bytes to renditions: identify, check for embedded content, check limits, render."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from imghost_core.contract.errors import EmbeddedContent, EmptyFile, UnsupportedFormat
from imghost_core.object_keys import VariantName
from imghost_imaging.formats import EXTENSIONS, Format
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render import decoder, limits, renditions, sniff, source
from imghost_imaging.render.limits import Header, Limits
from imghost_imaging.render.renditions import Renditions

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Rendered:
    """Format and size of an original, and its renditions."""

    format: Format
    header: Header
    renditions: Renditions


class Renderer:
    """Blocking work on images, for the threads of the render queue. `seconds` limits the work on one image."""

    def __init__(
        self, formats: tuple[Format, ...], bounds: Limits, metrics: ImagingMetrics, *, seconds: float = 30.0
    ) -> None:
        self._formats, self._limits, self._metrics, self._seconds = formats, bounds, metrics, seconds

    def render(self, data: bytes) -> Rendered:
        """Validate `data` and make its renditions.

        Raises one of `INGEST_ERRORS`, or `Overloaded` when the work takes too long.
        """
        deadline = time.monotonic() + self._seconds
        kind = self._identify(data)
        _check_embedded(data, kind)
        original = source.read(data, kind, self._limits)
        with self._metrics.render.labels("renditions").time():
            return Rendered(kind, original.header, _decode(lambda: renditions.render_all(original, deadline)))

    def variant(self, mezzanine: bytes, name: VariantName, kind: str) -> bytes:
        """The variant `name` from a stored mezzanine of extension `kind`; raises `CorruptImage`."""
        deadline = time.monotonic() + self._seconds
        with self._metrics.render.labels("variant").time():
            return _decode(lambda: renditions.render_variant(mezzanine, name, kind, deadline))

    def _identify(self, data: bytes) -> Format:
        if not data:
            raise EmptyFile("The file is empty. Select the image again, then upload it.")
        kind = sniff.identify(data)
        if kind in self._formats and kind is not None:
            return kind
        name = EXTENSIONS[kind].upper() if kind else sniff.unsupported_format(data)
        what = (
            f"The content is {name}, which is not supported"
            if name
            else "The content is not an image of a known format"
        )
        raise UnsupportedFormat(f"{what}. Upload one of: {', '.join(self._formats)}.")


def _check_embedded(data: bytes, kind: Format) -> None:
    if other := sniff.embedded_content(data, kind):
        raise EmbeddedContent(
            f"The image also contains {other}, which other programs would open. "
            "Export it again with an image editor and upload the new file."
        )


def _decode(work: Callable[[], _T]) -> _T:
    """Run `work`; libvips computes lazily, so any step may report a damaged input."""
    try:
        return work()
    except decoder.ERRORS as error:
        raise limits.corrupt() from error
