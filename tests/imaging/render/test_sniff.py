"""What a file is, and what hides in it."""

import random
import struct
import time

import pytest

from imghost_imaging.formats import FORMATS
from imghost_imaging.render import sniff
from support import hostile, sample_images


@pytest.mark.parametrize("name", FORMATS)
def test_formats_are_detected_by_content(name: str) -> None:
    """An image is recognised by its bytes, whatever it is called."""
    assert sniff.identify(sample_images.photo(64, 48, name)) == name


@pytest.mark.parametrize("name", sorted(hostile.unsupported_formats()))
def test_unsupported_formats_are_not_detected_as_supported(name: str) -> None:
    """No foreign format passes for one of ours."""
    assert sniff.identify(hostile.unsupported_formats()[name]) is None


@pytest.mark.parametrize(
    ("name", "reported"),
    [("svg", "SVG or XML"), ("tiff", "TIFF"), ("bmp", "BMP"), ("pdf", "PDF"), ("heic", "HEIC"), ("psd", "Photoshop")],
)
def test_well_known_unsupported_formats_are_named(name: str, reported: str) -> None:
    """The error names the kind of file, so that people know what to convert."""
    assert sniff.unsupported_format(hostile.unsupported_formats()[name]) == reported


def test_photographs_have_no_embedded_content() -> None:
    """Phone trailers, MPF, XMP and plain photographs of every format hold nothing else."""
    good = [
        sample_images.phone_photo(),
        sample_images.with_xmp(sample_images.photo()),
        sample_images.exif_photo(6, (48.2, 16.37)),
        sample_images.photo(4000, 3000),
        sample_images.png(alpha=True),
        sample_images.gif(12),
        sample_images.webp(12),
        sample_images.cmyk(),
        *(sample_images.photo(format=name) for name in FORMATS),
    ]
    for body in good:
        kind = sniff.identify(body)
        assert kind is not None
        assert sniff.embedded_content(body, kind) is None


def test_random_bytes_are_not_embedded_content() -> None:
    """Compressed data is noise, and noise holds any four bytes now and then: `<svg ` alone, or a ZIP's mark alone."""
    noise = random.Random(1).randbytes(1 << 20)
    body = sample_images.photo() + noise + b"<svg \x93\xfa" + noise + b"<html>\x00\x01" + b"PK\x05\x06" + noise[:5000]
    assert sniff.embedded_content(body, "jpeg") is None
    comment_like = b"\xff\xd8\xff\xe1/*" + noise + b"*/\x00\x93"
    assert sniff.embedded_content(comment_like, "jpeg") is None


@pytest.mark.parametrize(
    "payload",
    [
        b"<SCRIPT src=//evil.example/x.js>",
        b"<script>alert(1)</script>",
        b"<?php eval($_POST[0]);",
        b"<?PHP\nphpinfo();",
        b"<html><head><title>",
        b"<!DOCTYPE html>",
        b"<svg onload=alert(1)>",
        b"<svg/onload=alert(1)>",
        b"<iframe src='javascript:alert(1)'>",
        b"__HALT_COMPILER(); ?>",
    ],
)
@pytest.mark.parametrize("place", ["metadata", "trailer"])
def test_embedded_markup_and_code_are_found_at_any_position(payload: bytes, place: str) -> None:
    """Markup and code are found in a comment as well as behind the image, in any case."""
    photo = sample_images.photo()
    body = photo + payload if place == "trailer" else sample_images.with_xmp(photo, payload)
    assert sniff.embedded_content(body, "jpeg") is not None


@pytest.mark.parametrize("place", range(262_144 - 20, 262_144 + 20))
def test_markup_is_found_across_two_search_windows(place: int) -> None:
    """The search goes in windows of 256 KiB; code that lies across the edge of two is found all the same."""
    head = sample_images.photo()[:40_000]
    assert sniff.embedded_content(head + b"\0" * (place - len(head)) + b"<svg/onload=alert(1)>" + b"\0" * 99, "jpeg")


@pytest.mark.parametrize(
    "body",
    [
        hostile.polyglot_gif_js(),
        b"GIF89a=1;alert(1)//" + sample_images.gif()[6:],
        b"\xff\xd8\xff\xe0/*JFIF" + sample_images.photo()[10:] + b"*/=alert(document.domain)/*",
        b"RIFF/*\0\0WEBPVP8 " + sample_images.webp()[16:] + b"*/=alert(document.domain)//",
    ],
    ids=["gif-comment", "gif-assignment", "jpeg", "webp"],
)
def test_a_header_that_is_also_javascript_is_found(body: bytes) -> None:
    """A header that reads as JavaScript, with code behind it, is a script."""
    kind = sniff.identify(body)
    assert kind is not None
    assert sniff.embedded_content(body, kind) == "a script"


@pytest.mark.parametrize("tail", [b"", b"\0" * 40, b"PK\x05\x06 not an end record"])
def test_zip_archives_are_found_before_trailing_data(tail: bytes) -> None:
    """A ZIP directory is found with comments or junk behind it, as lenient readers find it."""
    assert sniff.embedded_content(hostile.polyglot_zip() + tail, "jpeg") == "a ZIP archive"


@pytest.mark.parametrize("missing", [1, 10])
def test_a_zip_whose_comment_does_not_fit_is_ignored(missing: int) -> None:
    """An end record that announces a longer comment than the file has is not one: readers refuse it."""
    body = hostile.polyglot_zip(comment=b"x" * 10)
    assert sniff.embedded_content(body, "jpeg") == "a ZIP archive"
    assert sniff.embedded_content(body[:-missing], "jpeg") is None


@pytest.mark.parametrize(("place", "found"), [(1019, "a PDF"), (1020, None)])
def test_a_pdf_is_found_where_readers_search(place: int, found: str | None) -> None:
    """The mark of a PDF counts when it is whole within the first 1024 bytes, and not behind."""
    assert sniff.embedded_content(b"\xff\xd8\xff" + b"\0" * (place - 3) + b"%PDF-1.7", "jpeg") == found


def test_a_zip_end_record_without_a_directory_is_ignored() -> None:
    """Only what a ZIP reader could open counts: the directory must be where the end record says."""
    record = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 46, 0, 0)
    assert sniff.embedded_content(sample_images.photo() + record, "jpeg") is None


def test_the_search_takes_linear_time() -> None:
    """Hostile files cannot make the search slow: many half-matches cost no more than a look at each byte."""
    for filler in (b"<", b"<svg ", b"<html a", b"PK\x05\x06", b"*/", b"/*"):
        body = sample_images.photo() + filler * (8 * 1024 * 1024 // len(filler))
        began = time.process_time()
        sniff.embedded_content(body, "jpeg")
        assert time.process_time() - began < 2, filler
