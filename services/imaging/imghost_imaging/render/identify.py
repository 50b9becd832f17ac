"""Whether a file is an image that may be decoded at all. Pure."""

from imghost_core.contract.errors import EmbeddedContent, EmptyFile, UnsupportedFormat
from imghost_imaging.formats import EXTENSIONS, Format
from imghost_imaging.render import sniff


def identify(data: bytes, formats: tuple[Format, ...]) -> Format:
    """The format of `data`, one of `formats`. Raises `EmptyFile` or `UnsupportedFormat`."""
    if not data:
        raise EmptyFile("The file is empty. Select the image again, then upload it.")
    kind = sniff.identify(data)
    if kind in formats and kind is not None:
        return kind
    name = EXTENSIONS[kind].upper() if kind else sniff.unsupported_format(data)
    what = f"The content is {name}, which is not supported" if name else "The content is not an image of a known format"
    raise UnsupportedFormat(f"{what}. Upload one of: {', '.join(formats)}.")


def check_embedded(data: bytes, kind: Format) -> None:
    """Raise `EmbeddedContent` when other programs would open `data` as something else."""
    if other := sniff.embedded_content(data, kind):
        raise EmbeddedContent(
            f"The image also contains {other}, which other programs would open. "
            "Export it again with an image editor and upload the new file."
        )
