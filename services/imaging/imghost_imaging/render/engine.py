"""Start libvips for untrusted input: a checked build, one thread per image, no cache, only the required loaders."""

import ctypes

import pyvips

from imghost_imaging.formats import Format
from imghost_imaging.render import decoder

_MINIMUM = (8, 18, 6)  # first release that refuses to use a libheif too old to be safe for AVIF
_LOADERS: dict[Format, str] = {
    "jpeg": "VipsForeignLoadJpeg",
    "png": "VipsForeignLoadPng",
    "webp": "VipsForeignLoadWebp",
    "gif": "VipsForeignLoadNsgif",
    "avif": "VipsForeignLoadHeif",
}
_SAVERS: dict[Format, tuple[str, dict[str, object]]] = {
    "jpeg": ("jpegsave_buffer", {}),
    "png": ("pngsave_buffer", {}),
    "webp": ("webpsave_buffer", {"effort": 0}),
    "gif": ("gifsave_buffer", {"effort": 1}),
    "avif": ("heifsave_buffer", {"compression": "av1", "effort": 0}),
}
_OPERATIONS = (
    "arrayjoin",
    "autorot",
    "bandjoin",
    "cast",
    "colourspace",
    "copy",
    "crop",
    "extract_band",
    "icc_transform",
    "jpegload_buffer",
    "jpegsave_buffer",
    "min",
    "thumbnail_buffer",
    "thumbnail_image",
    "webpload_buffer",
    "webpsave_buffer",
)
_SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>'
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h


class UnsafeLibvips(RuntimeError):
    """This libvips must not decode untrusted bytes; the message is one line for the administrator."""


def start(formats: tuple[Format, ...]) -> None:
    """Configure libvips for `formats` and check it. Raises `UnsafeLibvips`; the process must not decode then."""
    configure(formats)
    check(formats)


def configure(formats: tuple[Format, ...]) -> None:
    """Configure libvips. Computes no pixel, which would start threads that a fork leaves behind."""
    _tune_malloc()
    decoder.start()
    pyvips.concurrency_set(1)  # images are rendered in parallel; threads within one would only cost memory
    pyvips.cache_set_max(0)  # never hits for buffers
    _allow_only(formats)
    for name in _OPERATIONS:
        pyvips.Introspect.get(name)  # once, in place of in every child


def check(formats: tuple[Format, ...]) -> None:
    """Check the configured libvips. Raises `UnsafeLibvips`; the process must not decode then."""
    _check_build()
    _check_codecs(formats)
    _check_blocked_loaders()
    if "jpeg" in formats:
        _check_damage_is_found()


def version() -> str:
    """The version of libvips."""
    return ".".join(map(str, _version()))


def _version() -> tuple[int, ...]:
    return tuple(pyvips.version(part) for part in range(3))


def _check_build() -> None:
    """Check the version: with system headers installed, pip silently compiles pyvips against the system library."""
    if not pyvips.API_mode or _version() < _MINIMUM:
        mode = "API" if pyvips.API_mode else "ABI"
        found, needed = version(), ".".join(map(str, _MINIMUM))
        raise UnsafeLibvips(
            f"libvips {found} in {mode} mode is in use; {needed} or newer in API mode is needed. "
            "Install pyvips-binary on a machine without libvips headers."
        )


def _allow_only(formats: tuple[Format, ...]) -> None:
    """Block every loader, then unblock those of `formats`: libvips selects a loader by content."""
    pyvips.operation_block_set("VipsForeignLoad", True)  # noqa: FBT003 - the library's signature
    for name in formats:
        pyvips.operation_block_set(_LOADERS[name], False)  # noqa: FBT003


def _check_codecs(formats: tuple[Format, ...]) -> None:
    """Encode and decode an image in every enabled format; the result must be similar to the source."""
    image = (pyvips.Image.xyz(32, 32)[0] * 8).cast("uchar").bandjoin([90, 200]).copy(interpretation="srgb")
    for name in formats:
        saver, options = _SAVERS[name]
        try:
            back = pyvips.Image.thumbnail_buffer(getattr(image, saver)(**options), 32)
            difference = (back.extract_band(0, n=3) - image).abs().avg()
        except pyvips.Error as error:
            raise UnsafeLibvips(f"this libvips cannot read back its own {name}: {_first_line(error)}") from error
        if difference > 12:  # noqa: PLR2004 - of 255; lossy codecs stay below 5 on this gradient
            raise UnsafeLibvips(f"this libvips decodes {name} wrongly: mean difference {difference:.0f} of 255")


def _check_damage_is_found() -> None:
    """Check that a JPEG whose last rows are missing is found out: libvips says it only by a warning in the log."""
    whole = pyvips.Image.gaussnoise(32, 32).cast("uchar").jpegsave_buffer()
    with decoder.collect_damage() as damage:
        pyvips.Image.jpegload_buffer(whole[:-20] + b"\xff\xd9").copy_memory()
    if not damage:
        raise UnsafeLibvips("this libvips does not report that a JPEG is incomplete")


def _check_blocked_loaders() -> None:
    """Check that SVG and TIFF, whose loaders are in the build, are blocked."""
    tiff = pyvips.Image.black(8, 8).tiffsave_buffer()
    for name, body in (("SVG", _SVG), ("TIFF", tiff)):
        try:
            pyvips.Image.new_from_buffer(body, "")
        except pyvips.Error:
            continue
        raise UnsafeLibvips(f"this libvips still opens {name} although its loader was blocked")


def _tune_malloc() -> None:
    """Let glibc keep what is freed: a process decodes one image, and each page that is given back costs a fault."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # not glibc
        return
    mallopt(_M_MMAP_THRESHOLD, 4 * 1024**2)
    mallopt(_M_TRIM_THRESHOLD, 64 * 1024**2)
    mallopt(_M_ARENA_MAX, 2)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
