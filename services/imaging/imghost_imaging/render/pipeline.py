"""From untrusted bytes to renditions: identify, check for embedded content, check limits, render. Blocks."""

from collections.abc import Callable
from typing import TypeVar

from imghost_core.object_keys import VariantName
from imghost_imaging.formats import Format
from imghost_imaging.render import decoder, limits, renditions, source
from imghost_imaging.render.identify import check_embedded, identify
from imghost_imaging.render.limits import Limits
from imghost_imaging.render.results import Rendered

_T = TypeVar("_T")


def render(data: bytes, formats: tuple[Format, ...], bounds: Limits) -> Rendered:
    """Validate `data` and make its renditions. Raises one of `INGEST_ERRORS`."""
    kind = identify(data, formats)
    check_embedded(data, kind)
    original = source.read(data, kind, bounds)
    return Rendered(kind, original.header, _decode(lambda: renditions.render_all(original)))


def render_variant(mezzanine: bytes, name: VariantName, extension: str) -> bytes:
    """The variant `name` from a stored mezzanine of this extension. Raises `CorruptImage`."""
    return _decode(lambda: renditions.render_variant(mezzanine, name, extension))


def _decode(work: Callable[[], _T]) -> _T:
    """Run `work`; libvips computes lazily, so any step may report a damaged input."""
    try:
        return work()
    except decoder.ERRORS as error:
        raise limits.corrupt() from error
