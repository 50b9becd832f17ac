"""Colours are what the file says, by its profile or its numbers, whatever a name says."""

import struct
import zlib

import numpy as np
import pytest
import pyvips

from imghost_imaging.render import cicp, colour
from support import colour_profiles as profiles
from support import hand_made_images as made
from support import rendering, sample_images
from support.colour_profiles import ADOBE, BT709, P3, Curve
from support.image_formats import chunk

SCENE = made.colours()
GREY = SCENE[..., 1]
GREY_RGB = np.dstack([GREY] * 3)


def eight_bit(values: profiles.Floats) -> made.Bytes:
    return (values * 255).round().astype(np.uint8)


@pytest.mark.parametrize(
    ("name", "primaries", "exponent", "note"),
    [
        ("sRGB-like, linear", BT709, 1.0, "none"),
        ("sRGB primaries, gamma 1.8", BT709, 1.8, "none"),
        ("Wider than sRGB", ADOBE, 2.2, "none"),
        ("sRGB IEC61966-2.1", P3, 2.2, "none"),
        ("Wide", P3, 1.8, "derived from sRGB.icm"),
    ],
)
def test_a_profile_is_applied_whatever_its_texts_say(
    name: str, primaries: tuple[tuple[float, float], ...], exponent: float, note: str
) -> None:
    """Texts that mention sRGB do not make a profile sRGB: primaries and curve decide."""
    stored = eight_bit(profiles.convert(SCENE, primaries, profiles.gamma(exponent)))
    assert rendering.difference(stored, SCENE) > 7, "the case must be visible"
    body = made.jpeg(stored, profiles.profile(name, primaries, exponent, note))
    assert rendering.difference(rendering.large(body, "jpeg")[0], SCENE) < 3


def test_a_grey_profile_is_applied() -> None:
    """The same holds for one channel."""
    stored = eight_bit(profiles.decode_srgb(GREY / 255))
    body = made.jpeg(stored, profiles.grey_profile("Linear, like sRGB", 1.0))
    assert rendering.difference(rendering.large(body, "jpeg")[0], GREY_RGB) < 3


def test_the_profile_of_srgb_costs_no_conversion() -> None:
    """The profile of sRGB itself, and none, leave the pixels as they are; that of P3 converts."""

    def options(name: str) -> dict[str, str]:
        image = pyvips.Image.black(4, 4, bands=3).copy(interpretation="srgb").icc_transform(name)
        return colour.conversion(image)

    assert options("srgb") == {}
    assert options("p3") == {"export_profile": "srgb"}
    assert colour.conversion(pyvips.Image.black(4, 4, bands=3).copy(interpretation="srgb")) == {}


@pytest.mark.parametrize(
    ("pixels", "profile"),
    [
        (SCENE, b"no profile" * 30),
        (SCENE, profiles.profile("P3", P3, 2.2)[:200]),
        (SCENE, profiles.profile("P3", P3, 2.2).replace(b"rXYZ", b"xxxx", 1)),
        (SCENE, profiles.grey_profile("Grey", 1.0)),
        (GREY, profiles.profile("P3", P3, 1.0)),
    ],
    ids=["noise", "truncated", "without-red", "grey-on-rgb", "rgb-on-grey"],
)
def test_a_profile_that_cannot_be_applied_is_ignored(pixels: made.Bytes, profile: bytes) -> None:
    """A damaged profile, or one for another number of channels, is no reason to refuse an image or to change it."""
    expected = pixels if pixels.ndim == 3 else GREY_RGB
    assert rendering.difference(rendering.large(made.jpeg(pixels, profile), "jpeg")[0], expected) < 2


@pytest.mark.parametrize("profile", [profiles.profile("sRGB", BT709, 2.2), b"noise" * 40], ids=["rgb", "noise"])
def test_cmyk_with_a_useless_profile_is_converted_all_the_same(profile: bytes) -> None:
    """A CMYK image with the profile of a display, or a damaged one, becomes what it is without a profile."""
    plain = pyvips.Image.new_from_buffer(sample_images.cmyk(), "")
    tagged = plain.copy()
    tagged.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    with_profile, without = (image.jpegsave_buffer(Q=95, keep="icc") for image in (tagged, plain))
    made_with, made_without = (rendering.large(body, "jpeg")[0] for body in (with_profile, without))
    assert made_with.shape[2] == 3
    assert rendering.difference(made_with, made_without) < 2


# Chunks of PNG


def gama(exponent: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(100_000 / exponent)))


def chrm(primaries: tuple[tuple[float, float], ...]) -> bytes:
    points = ((0.3127, 0.3290), *primaries)
    return chunk(b"cHRM", struct.pack(">8I", *(round(number * 100_000) for point in points for number in point)))


def code_points(primaries: int, transfer: int, matrix: int = 0, full_range: int = 1) -> bytes:
    return chunk(b"cICP", bytes((primaries, transfer, matrix, full_range)))


def iccp(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(profile))


SRGB = chunk(b"sRGB", b"\0")
P3_PROFILE = iccp(profiles.profile("P3", P3, 2.2))


@pytest.mark.parametrize(
    ("chunks", "primaries", "curve"),
    [
        (gama(1.0), BT709, profiles.gamma(1.0)),
        (gama(1.8), BT709, profiles.gamma(1.8)),
        (gama(2.2), BT709, profiles.encode_srgb),
        (gama(1.8) + chrm(ADOBE), ADOBE, profiles.gamma(1.8)),
        (chrm(P3), P3, profiles.encode_srgb),
        (code_points(12, 13), P3, profiles.encode_srgb),
        (code_points(12, 8), P3, profiles.gamma(1.0)),
        (P3_PROFILE, P3, profiles.gamma(2.2)),
        # precedence: cICP, iCCP, sRGB, gAMA with cHRM
        (gama(1.0) + chrm(ADOBE) + SRGB, BT709, profiles.encode_srgb),
        (gama(1.0) + SRGB + P3_PROFILE, P3, profiles.gamma(2.2)),
        (gama(1.0) + P3_PROFILE + code_points(1, 13), BT709, profiles.encode_srgb),
        # what is unknown or damaged does not count
        (P3_PROFILE + code_points(12, 13, matrix=9), P3, profiles.gamma(2.2)),
        (P3_PROFILE + code_points(2, 2), P3, profiles.gamma(2.2)),
        (gama(1.8) + iccp(b"noise" * 40), BT709, profiles.gamma(1.8)),
        (gama(1.8) + chunk(b"iCCP", b"x\0\0no zlib"), BT709, profiles.gamma(1.8)),
        (gama(1.8) + iccp(profiles.grey_profile("Grey", 1.0)), BT709, profiles.gamma(1.8)),
        (gama(1.8) + SRGB[:-1] + b"\0", BT709, profiles.gamma(1.8)),
        (gama(1.8) + chunk(b"cHRM", bytes(32)), BT709, profiles.gamma(1.8)),
        (gama(1.8) + chrm(((0.3, 0.3), (0.3, 0.3), (0.3, 0.3))), BT709, profiles.gamma(1.8)),
        (chunk(b"gAMA", bytes(4)), BT709, profiles.encode_srgb),
    ],
)
def test_the_chunk_that_counts_gives_the_colours(
    chunks: bytes, primaries: tuple[tuple[float, float], ...], curve: Curve
) -> None:
    """Of cICP, iCCP, sRGB and gAMA with cHRM the first that can be used counts, as the PNG specification orders."""
    stored = eight_bit(profiles.convert(SCENE, primaries, curve))
    assert rendering.difference(rendering.large(made.png(stored, chunks), "png")[0], SCENE) < 3


def test_linear_light_of_16_bits_keeps_its_dark_levels() -> None:
    """The conversion starts from all 16 bits: from 8 of them, dark levels would fall together."""
    dark = np.tile(np.arange(64, dtype=np.uint8)[None, :, None], (64, 1, 3))
    stored = (profiles.decode_srgb(dark / 255) * 65535).round().astype(np.uint16)
    assert rendering.difference(rendering.large(made.png(stored, gama(1.0)), "png")[0], dark) < 2


def test_grey_images_and_transparency_are_converted_too() -> None:
    """One channel takes the curve alone, and alpha stays as it is."""
    linear = eight_bit(profiles.decode_srgb(GREY / 255))
    assert rendering.difference(rendering.large(made.png(linear, gama(1.0) + chrm(P3)), "png")[0], GREY_RGB) < 3
    alpha = np.tile(np.linspace(0, 255, 96).astype(np.uint8), (64, 1))
    stored = np.dstack([eight_bit(profiles.convert(SCENE, P3, profiles.encode_srgb)), alpha])
    shown = rendering.large(made.png(stored, code_points(12, 13)), "png")[0]
    assert rendering.difference(shown, np.dstack([SCENE, alpha])) < 3


@pytest.mark.parametrize(
    ("code", "value", "light"),
    [
        (1, 0.5, 0.2596),  # BT.709: ((0.5 + 0.099) / 1.099) ^ (1 / 0.45)
        (4, 0.5, 0.2176),
        (5, 0.5, 0.1436),
        (16, 0.5807, 1.0),  # PQ: 203 cd/m² (BT.2408, table 1)
        (16, 0.5081, 0.4926),  # 100 cd/m²
        (18, 0.75, 1.0),  # HLG: 203 cd/m²
        (18, 0.38, 0.129),  # 18 % grey: 26 cd/m²
    ],
)
def test_transfer_functions_have_their_published_values(code: int, value: float, light: float) -> None:
    """Values from ITU-R BT.709, BT.2100 and BT.2408; the white of an image without HDR is 203 cd/m²."""
    assert cicp.CURVES[code](value) == pytest.approx(light, rel=0.02)


def test_narrow_range_is_widened() -> None:
    """A cICP chunk with values from 16 to 235 gets black and white at these."""
    stored = (16 + SCENE.astype(np.float64) * 219 / 255).round().astype(np.uint8)
    body = made.png(stored, code_points(1, 13, full_range=0))
    assert rendering.difference(rendering.large(body, "png")[0], SCENE) < 3
