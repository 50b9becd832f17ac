"""The supported formats: their names, types and extensions."""

from typing import Literal, get_args

Format = Literal["jpeg", "png", "gif", "webp", "avif"]
FORMATS: tuple[Format, ...] = get_args(Format)
# AVIF is opt-in: its decoder had remote code execution this year (GHSA-g89c-p67h-r497, GHSA-x8r2-mggj-j6wr).
DEFAULT_FORMATS: tuple[Format, ...] = ("jpeg", "png", "gif", "webp")
EXTENSIONS: dict[Format, str] = {"jpeg": "jpg", "png": "png", "gif": "gif", "webp": "webp", "avif": "avif"}
MIME_TYPES: dict[Format, str] = {name: f"image/{name}" for name in FORMATS}
VARIANT_MIME_TYPES: dict[str, str] = {"jpg": "image/jpeg", "webp": "image/webp"}


def variant_mime_type(extension: str) -> str:
    """The MIME type of stored variants, also of a format that only a newer release of this service renders."""
    return VARIANT_MIME_TYPES.get(extension, f"image/{extension}")
