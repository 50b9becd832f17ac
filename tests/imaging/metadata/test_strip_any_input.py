"""The filter on inputs that no encoder wrote: parts in any order, damaged files, and bytes of no format."""

import struct
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imghost_core.contract.errors import MetadataNotRemovable
from imghost_imaging.formats import Format
from imghost_imaging.metadata.strip import strip
from support import image_formats, private_metadata, sample_images
from support.image_structure import unexpected
from support.private_metadata import CANARY, SAMPLES

HEADS = {
    "jpeg": b"\xff\xd8\xff",
    "png": image_formats.PNG_SIGNATURE,
    "gif": b"GIF89a",
    "webp": b"RIFF\xff\xff\0\0WEBP",
    "avif": b"\0\0\0\x10ftypavif\0\0\0\0",
}
TRAILER = st.binary(max_size=99)
PRIVATE = st.binary(max_size=300).map(lambda body: body + CANARY)


def check(data: bytes, kind: Format) -> bytes | None:
    """What the filter delivers of `data`: a sound file without other parts, on which it has nothing to do; or None."""
    try:
        delivered = strip(data, kind, keep_copyright=False)
    except MetadataNotRemovable:
        return None
    assert unexpected(delivered, kind) == set()
    assert strip(delivered, kind, keep_copyright=False) == delivered
    return delivered


@pytest.mark.parametrize("kind", get_args(Format))
@given(data=st.data())
def test_bytes_of_no_format_never_pass(kind: Format, data: st.DataObject) -> None:
    """Random bytes behind the signature of a format end in a refusal, or in a file of known parts only."""
    check(HEADS[kind] + data.draw(st.binary(max_size=400)), kind)


@pytest.mark.parametrize("name", SAMPLES)
@given(data=st.data())
@settings(max_examples=40)
def test_damaged_files_never_pass_as_they_are(name: str, data: st.DataObject) -> None:
    """A file with bytes changed, cut out or put in ends in a refusal, or in a file of known parts only."""
    kind, make = SAMPLES[name]
    body = bytearray(make())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(body)))
        body[start : start + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    check(bytes(body), kind)


@given(st.lists(st.tuples(st.sampled_from([*range(0xE0, 0xF0), 0xFE]), PRIVATE)), TRAILER)
@settings(max_examples=30)
def test_any_segments_leave_a_jpeg(segments: list[tuple[int, bytes]], trailer: bytes) -> None:
    """Application segments and comments of any number and content leave, bytes behind EOI too; the pixels stay."""
    plain = sample_images.photo(64, 48)
    body = plain
    for marker, content in segments:
        body = image_formats.insert(body, marker, content)
    assert check(body + trailer + CANARY, "jpeg") == plain


@given(st.lists(st.tuples(st.sampled_from([b"tEXt", b"zTXt", b"iTXt", b"tIME", b"caBX", b"iDOT"]), PRIVATE)), TRAILER)
@settings(max_examples=30)
def test_any_chunks_leave_a_png(chunks: list[tuple[bytes, bytes]], trailer: bytes) -> None:
    """Chunks that pixels do not need leave, bytes behind IEND too; the pixels stay."""
    plain = sample_images.png(64, 48)
    head, rest = image_formats.split_png(plain)
    added = b"".join(image_formats.chunk(kind, content) for kind, content in chunks)
    assert check(head + added + rest + trailer + CANARY, "png") == plain


@given(st.lists(st.tuples(st.sampled_from([0x01, 0xFE, 0xFF, 0xCE]), PRIVATE)), TRAILER)
@settings(max_examples=30)
def test_any_extensions_leave_a_gif(extensions: list[tuple[int, bytes]], trailer: bytes) -> None:
    """Extensions that control neither frames nor loops leave; frames stay."""
    plain = sample_images.gif(2, 32, 24)
    start = 13 + (3 << (plain[10] & 7) + 1 if plain[10] & 0x80 else 0)
    added = b""
    for label, content in extensions:
        pieces = [content[n : n + 255] for n in range(0, len(content), 255)]
        added += bytes((0x21, label)) + b"".join(bytes((len(piece),)) + piece for piece in pieces) + b"\0"
    assert check(plain[:start] + added + plain[start:-1] + added + b";" + trailer + CANARY, "gif") == plain


@given(st.lists(st.tuples(st.sampled_from([b"XMP ", b"JUNK", b"PSAI", b"EXIF"]), PRIVATE)))
@settings(max_examples=30)
def test_any_chunks_leave_a_webp(chunks: list[tuple[bytes, bytes]]) -> None:
    """Chunks that pixels do not need leave, and the flags that announced them; the pixels stay."""
    plain = strip(private_metadata.webp(3), "webp", keep_copyright=False)
    added = b"".join(
        kind + struct.pack("<I", len(content)) + content + bytes(len(content) % 2) for kind, content in chunks
    )
    flagged = bytearray(plain + added)
    flagged[4:8] = struct.pack("<I", len(flagged) - 8)
    flagged[20] |= 0x0C
    assert check(bytes(flagged), "webp") == plain
