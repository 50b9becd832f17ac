"""Image sequences in AVIF: the tracks of the box `moov` with what playback needs only, in the same number of bytes.

Layout: ISO/IEC 14496-12, 8.2 to 8.8; ISO/IEC 23008-12, 7.
"""

from collections.abc import Iterator
from itertools import pairwise

from imghost_imaging.metadata.avif_items import Range
from imghost_imaging.metadata.boxes import Box, Fields, split, to_free
from imghost_imaging.metadata.errors import Unreadable

_CONTAINERS = frozenset({b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"})
_TIMED = frozenset({b"mvhd", b"tkhd", b"mdhd"})
_COPIED = frozenset(
    b"vmhd nmhd dinf stsd stts ctts stsz stsc stco co64 stss elst tref sbgp sgpd".split()
)  # not: user data, metadata, and what is not known
_TRACKS = frozenset({b"pict", b"auxv"})  # frames, and their alpha planes
_DEEPEST = 5  # moov, trak, mdia, minf, stbl and what is in it
_NAME = 24  # bytes of hdlr before the name of the program


def write(data: bytes, box: Box, depth: int = 0) -> bytes:
    """The box `moov`, or one in it, without names, times, other tracks and unknown boxes."""
    if depth > _DEEPEST:
        raise Unreadable("its boxes are nested too deeply")
    head, body = data[box.start : box.body], data[box.body : box.end]
    if box.kind == b"trak" and _handler(data, box) not in _TRACKS:
        return to_free(box.end - box.start)
    if box.kind in _CONTAINERS:
        return head + b"".join(write(data, inner, depth + 1) for inner in split(data, box.body, box.end))
    if box.kind in _TIMED:
        times = 16 if body[:1] == b"\1" else 8  # of creation and of modification
        return head + (body[:4] + bytes(times) + body[4 + times :])[: len(body)]
    if box.kind == b"hdlr" and len(body) > _NAME:
        return head + body[:_NAME] + b" " * (len(body) - _NAME - 1) + b"\0"
    return head + body if box.kind in _COPIED else to_free(box.end - box.start)


def ranges(data: bytes, moov: Box) -> list[Range]:
    """Where the frames are in the file, those of every track that is kept."""
    tracks = [box for box in split(data, moov.body, moov.end) if box.kind == b"trak"]
    return [one for track in tracks if _handler(data, track) in _TRACKS for one in _track_ranges(data, track)]


def _handler(data: bytes, track: Box) -> bytes:
    """The type of media in a track."""
    box = _find(data, track, b"mdia", b"hdlr")
    return data[box.body + 8 : box.body + 12]


def _find(data: bytes, box: Box, *path: bytes) -> Box:
    for kind in path:
        found = [inner for inner in split(data, box.body, box.end) if inner.kind == kind]
        if len(found) != 1:
            raise Unreadable(f"a track has no single box {kind.decode('latin-1')}")
        box = found[0]
    return box


def _track_ranges(data: bytes, track: Box) -> Iterator[Range]:
    table = _find(data, track, b"mdia", b"minf", b"stbl")
    bodies = {box.kind: data[box.body : box.end] for box in split(data, table.body, table.end)}
    wide = 8 if b"co64" in bodies else 4
    starts = _rows(bodies.get(b"co64") or bodies.get(b"stco", b""), wide)
    counts, position = _per_chunk(bodies.get(b"stsc", b""), len(starts)), 0
    size, sizes = _sizes(bodies.get(b"stsz", b""))
    for (start,), count in zip(starts, counts, strict=False):
        length = size * count if size else sum(sizes[position : position + count])
        position += count
        yield start, start + length


def _sizes(body: bytes) -> tuple[int, list[int]]:
    """The size of every frame, or of each."""
    fields = Fields(body)
    fields.version()
    size, count = fields.number(4), fields.number(4)
    return size, [] if size else [fields.number(4) for _ in range(count)]


def _per_chunk(body: bytes, chunks: int) -> Iterator[int]:
    """The number of frames in each chunk; rows of the table hold until the next one."""
    rows = [(row[0], row[1]) for row in _rows(body, 4, 4, 4)]
    for (begin, count), (end, _) in pairwise([*rows, (chunks + 1, 0)]):
        for _ in range(begin, min(end, chunks + 1)):
            yield count


def _rows(body: bytes, *widths: int) -> list[tuple[int, ...]]:
    """The rows of a table with these columns."""
    fields = Fields(body)
    fields.version()
    return [tuple(fields.number(width) for width in widths) for _ in range(fields.number(4))]
