"""Comparing images the way an eye does, not byte by byte."""

import numpy as np
import pyvips
from numpy.typing import NDArray

Pixels = NDArray[np.float64]


def pixels(body: bytes, *, frame: int = 0) -> Pixels:
    """The colours of one frame of a file, height x width x 3, 0 to 255; what is transparent shows black."""
    image = pyvips.Image.new_from_buffer(body, f"page={frame}" if frame else "")
    return of(image)


def of(image: pyvips.Image) -> Pixels:
    """The colours of an image in memory, as `pixels` gives those of a file."""
    image = image.colourspace("srgb")
    flat = image.flatten() if image.hasalpha() else image
    colours: Pixels = flat.numpy().astype(np.float64)
    return colours


def average(image: Pixels, factor: int) -> Pixels:
    """`image` made smaller by a whole number, each pixel the mean of the ones below it: the plainest reference."""
    height, width = image.shape[0] // factor * factor, image.shape[1] // factor * factor
    blocks = image[:height, :width].reshape(height // factor, factor, width // factor, factor, -1)
    mean: Pixels = blocks.mean(axis=(1, 3))
    return mean


def difference(one: Pixels, other: Pixels) -> float:
    """Mean absolute difference of two images of equal size, 0 to 255."""
    assert one.shape == other.shape, f"{one.shape} is not {other.shape}"
    return float(np.abs(one - other).mean())


def structure(one: Pixels, other: Pixels, window: int = 8) -> float:
    """Structural similarity of the lightness, 1 for equal images (Wang et al. 2004, on tiles)."""
    assert one.shape == other.shape, f"{one.shape} is not {other.shape}"
    first, second = (_tiles(image.mean(axis=2), window) for image in (one, other))
    mean_a, mean_b = first.mean(axis=1), second.mean(axis=1)
    covariance = ((first - mean_a[:, None]) * (second - mean_b[:, None])).mean(axis=1)
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    contrast = (2 * covariance + c2) / (first.var(axis=1) + second.var(axis=1) + c2)
    return float((luminance * contrast).mean())


def _tiles(grey: Pixels, size: int) -> Pixels:
    height, width = grey.shape[0] // size * size, grey.shape[1] // size * size
    cut = grey[:height, :width].reshape(height // size, size, width // size, size)
    return cut.transpose(0, 2, 1, 3).reshape(-1, size * size)
