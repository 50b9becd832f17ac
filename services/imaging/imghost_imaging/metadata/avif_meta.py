"""The box `meta` of an AVIF file with the items of the image only, in the same number of bytes.

Every offset in the file stays valid, because nothing behind the box moves. Layout: ISO/IEC 14496-12, 8.11.
"""

import struct
from collections.abc import Collection, Iterable

from imghost_imaging.metadata import avif_items
from imghost_imaging.metadata.avif_items import Items, Range
from imghost_imaging.metadata.boxes import Box, Fields, split, to_box, to_free
from imghost_imaging.metadata.errors import Unreadable

_FULL = 4  # version and flags
_HANDLER_HEAD = 24  # of hdlr, before the name of the program
_PROPERTIES = frozenset(
    b"ispe pixi av1C colr pasp clap irot imir auxC a1op a1lx lsel clli mdcv cclv amve".split()
)  # not: descriptions, times, and what is not known


def read(data: bytes, meta: Box) -> tuple[Items, dict[bytes, bytes]]:
    """The items, and the payloads of the boxes in `meta`."""
    parts = {box.kind: data[box.body : box.end] for box in split(data, meta.body + _FULL, meta.end)}
    if missing := {b"hdlr", b"pitm", b"iinf", b"iloc", b"iprp"} - parts.keys():
        raise Unreadable(f"it has no box {min(missing).decode()}")
    types, entries = avif_items.read_types(parts[b"iinf"])
    references = avif_items.read_references(parts[b"iref"]) if b"iref" in parts else []
    primary, locations = avif_items.read_primary(parts[b"pitm"]), avif_items.read_locations(parts[b"iloc"])
    return Items(primary, types, entries, locations, references), parts


def write(items: Items, parts: dict[bytes, bytes], needed: set[int], size: int) -> bytes:
    """The box again, with the items `needed`, and an empty box behind it when it has become smaller than `size`."""
    body = b"".join(_parts(items, parts, needed))
    small = _FULL + 8 + len(_handler(parts[b"hdlr"], 0)) + len(body)
    gap = size - small
    if gap < 0:
        raise Unreadable("its list of items is inconsistent")
    name, behind = (0, gap) if gap >= 8 else (gap, 0)  # noqa: PLR2004 - the smallest box
    whole = to_box(b"meta", bytes(_FULL) + _handler(parts[b"hdlr"], name) + body)
    return whole + (to_free(behind) if behind else b"")


def erase(data: bytes, start: int, end: int, kept: Iterable[Range]) -> bytes:
    """The bytes from `start` to `end` with zeros wherever no range of `kept`, which do not overlap, is."""
    erased = bytearray(end - start)
    for begin, stop in kept:
        low, high = max(begin, start), min(stop, end)
        if low < high:
            erased[low - start : high - start] = data[low:high]
    return bytes(erased)


def _parts(items: Items, parts: dict[bytes, bytes], needed: set[int]) -> Iterable[bytes]:
    yield to_box(b"pitm", parts[b"pitm"])
    yield _locations(items, parts[b"iloc"], needed)
    yield _types(items, parts[b"iinf"], needed)
    yield from _references(items, parts.get(b"iref"), needed)
    yield to_box(b"iprp", b"".join(_properties(parts[b"iprp"], needed)))
    if b"idat" in parts:
        kept = items.ranges(needed, avif_items.IN_IDAT)
        yield to_box(b"idat", erase(parts[b"idat"], 0, len(parts[b"idat"]), kept))


def _handler(body: bytes, name: int) -> bytes:
    if len(body) < _HANDLER_HEAD:
        raise Unreadable("its handler is cut off")
    return to_box(b"hdlr", body[:_HANDLER_HEAD] + b" " * name + b"\0")


def _locations(items: Items, body: bytes, needed: set[int]) -> bytes:
    found = [location.entry for item, location in items.locations.items() if item in needed]
    count = struct.pack(">I" if body[0] == 2 else ">H", len(found))  # noqa: PLR2004
    return to_box(b"iloc", body[:6] + count + b"".join(found))


def _types(items: Items, body: bytes, needed: set[int]) -> bytes:
    found = [entry for item, entry in items.entries.items() if item in needed]
    return to_box(b"iinf", body[:_FULL] + struct.pack(">I" if body[0] else ">H", len(found)) + b"".join(found))


def _references(items: Items, body: bytes | None, needed: set[int]) -> Iterable[bytes]:
    form = ">I" if body and body[0] else ">H"
    found = []
    for kind, source, targets in items.references:
        if source in needed and needed.issuperset(targets):
            ids = b"".join(struct.pack(form, item) for item in targets)
            found.append(to_box(kind, struct.pack(form, source) + struct.pack(">H", len(targets)) + ids))
    if body and found:
        yield to_box(b"iref", body[:_FULL] + b"".join(found))


def _properties(body: bytes, needed: Collection[int]) -> Iterable[bytes]:
    """The boxes in `iprp`: properties keep their numbers, so that those left out become empty boxes."""
    for box in split(body, 0, len(body)):
        whole = body[box.start : box.end]
        if box.kind == b"ipco":
            inner = split(whole, box.body - box.start, len(whole))
            kept = [whole[p.start : p.end] if p.kind in _PROPERTIES else to_free(p.end - p.start) for p in inner]
            yield to_box(b"ipco", b"".join(kept))
        elif box.kind == b"ipma":
            yield to_box(b"ipma", _associations(body[box.body : box.end], needed))


def _associations(body: bytes, needed: Collection[int]) -> bytes:
    fields = Fields(body)
    version, flags = fields.version()
    found = []
    for _ in range(fields.number(4)):
        start, item = fields.position, fields.number(4 if version else 2)
        fields.take(fields.number(1) * (2 if flags & 1 else 1))
        if item in needed:
            found.append(body[start : fields.position])
    return body[:_FULL] + struct.pack(">I", len(found)) + b"".join(found)
