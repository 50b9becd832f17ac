"""The most memory that rendering an image takes, from its shape. The figures are measured: docs/benchmarks.md."""

from imghost_imaging.cost.shape import Shape
from imghost_imaging.formats import Format
from imghost_imaging.render.sizes import ANIMATION_PIXELS, BOXES, MEZZANINE

_MIB = 1024**2
_BASE = 56 * _MIB  # renditions of a still image of any size, with their encoders
_COPIES = 3  # of the file in the child: as received, without metadata, and what the decoder reads
_PARENT_COPIES = 2  # in the service: the file, and the delivered original
_ROWS = 1280  # kept while an image is shrunk
_SCALED = 2 * MEZZANINE  # pixels of the longest side after scaling while decoding, at most
_ALPHA_BYTES, _EXACT_BYTES = 30, 12  # of the encoder for a pixel: of noise with alpha; of an image that stays lossless
_EXACT, _LOSSY = 4.25, 2.5  # bytes of a pixel in a file, of noise with alpha
_ANSWER_BASE, _MOST_ANSWER = 256 * 1024, 96 * _MIB  # headers and profiles; of an animation
_FRAME_BYTES = 8  # a pixel of all frames: two sizes at a time, with the encoder


def child_bytes(data: bytes, kind: Format, image: Shape) -> int:
    """Memory of the child that renders `data`, in addition to what it shares with the fork server."""
    return _BASE + _COPIES * len(data) + image.whole + _rows(image, kind) + _encoder(image) + _animation(image, kind)


def answer_bytes(image: Shape) -> int:
    """The most bytes that all renditions of `image` have together. Sizes that would be larger are the same file."""
    made = sum(min(image.frames * _pixels(image, side), ANIMATION_PIXELS) for side in (MEZZANINE, *BOXES.values()))
    return min(_MOST_ANSWER, _ANSWER_BASE + int(made * (_EXACT if _is_exact(image) else _LOSSY)))


def service_bytes(data: bytes, image: Shape) -> int:
    """Memory of the service while it waits for the child."""
    return _PARENT_COPIES * len(data) + answer_bytes(image)


def _rows(image: Shape, kind: Format) -> int:
    width, height = image.width, min(image.height, _ROWS)
    if kind in {"jpeg", "webp"}:  # scaled while they are decoded
        width = min(width, _SCALED)
    return width * height * image.pixel * 5 // 4


def _encoder(image: Shape) -> int:
    """Beyond what any still takes: libwebp encodes alpha, and what stays lossless, with copies of its pixels."""
    if image.alpha:
        return int(_ALPHA_BYTES * _pixels(image, MEZZANINE))
    return int(_EXACT_BYTES * _pixels(image, MEZZANINE)) if _is_exact(image) else 0


def _is_exact(image: Shape) -> bool:
    """Whether renditions may be lossless."""
    return max(image.width, image.height) <= BOXES["large"]


def _pixels(image: Shape, side: int) -> float:
    """Pixels of a frame, made smaller until no side is longer than `side`."""
    return image.width * image.height * min(1.0, side / max(image.width, image.height, 1)) ** 2


def _animation(image: Shape, kind: Format) -> int:
    if image.frames == 1 or kind not in {"gif", "webp"}:
        return 0
    return int(_FRAME_BYTES * min(image.frames * _pixels(image, MEZZANINE), ANIMATION_PIXELS))
