"""Compares originals with variants by another decoder, Pillow, in an environment of its own. Reads and writes JSON.

Input lines are `{"original": path, "variant": path or null}`; output lines add `"difference": number or null`,
or with `"error": text` when Pillow cannot decode the original completely.
"""

import io
import json
import sys
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageOps

_MOST_PIXELS = 50_000_000  # Pillow raises an error beyond twice this


def compare(original: str, variant: str | None) -> dict[str, Any]:
    """The mean absolute difference of first frames, on black or white, whichever is larger; 0 to 255."""
    try:
        whole = _open(original)
    except Exception as error:  # noqa: BLE001 - any file may make it fail in any way
        return {"error": f"{type(error).__name__}: {error}"}
    if variant is None:
        return {"difference": None}
    small = _open(variant)
    same = whole if whole.size == small.size else whole.resize(small.size, Image.Resampling.LANCZOS)
    one, other = np.asarray(same, np.float32), np.asarray(small, np.float32)
    return {"difference": round(max(float(abs(_over(one, g) - _over(other, g)).mean()) for g in (0, 255)), 2)}


def _over(pixels: Any, ground: int) -> Any:
    alpha = pixels[..., 3:] / 255
    return pixels[..., :3] * alpha + ground * (1 - alpha)


def _open(path: str) -> Any:
    """The first frame as it is shown: upright, in sRGB, with alpha."""
    image = Image.open(path)
    image.load()
    profile, gamma = image.info.get("icc_profile"), _gamma(image)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = image.point(lambda value: value / 257).convert("L")
    if profile and image.mode in {"RGB", "L"}:
        image = _to_srgb(image, profile)
    return _decode_gamma(image.convert("RGBA"), gamma) if gamma else image.convert("RGBA")


def _gamma(image: Any) -> float | None:
    """The exponent of a PNG's gAMA chunk, which Pillow reads and ignores, unless a better description is there."""
    described = {"icc_profile", "srgb", "chromaticity"} & image.info.keys()
    return None if described else image.info.get("gamma")


def _decode_gamma(image: Any, gamma: float) -> Any:
    """Samples are light to the power of `gamma` (PNG specification, 11.3.2.2); sRGB by IEC 61966-2-1."""
    light = (np.arange(256) / 255) ** (1 / gamma)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # noqa: PLR2004 - of the formula
    table = [round(value * 255) for value in encoded]
    return image.point(table * 3 + list(range(256)))


def _to_srgb(image: Any, profile: bytes) -> Any:
    try:
        srgb = ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, io.BytesIO(profile), srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    for line in sys.stdin:
        pair = json.loads(line)
        sys.stdout.write(json.dumps(pair | compare(pair["original"], pair["variant"])) + "\n")
