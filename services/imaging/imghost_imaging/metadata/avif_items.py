"""The items of an AVIF file: their types, where their bytes are, and which ones make up the image.

Layout: ISO/IEC 14496-12, 8.11 (meta box), and ISO/IEC 23008-12, 6 (image items).
"""

import struct
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from imghost_imaging.metadata.boxes import Fields, split, to_box
from imghost_imaging.metadata.errors import Unreadable

Range = tuple[int, int]
"""Begin and end of bytes."""
_IMAGES = frozenset({b"av01", b"grid", b"iovl", b"iden"})
_MOST_RANGES = 100_000  # of one byte in the file each, and 150 here
IN_FILE, IN_IDAT = 0, 1
"""Where the ranges of an item count from: the file, or the box `idat`."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of an item are, and its entry in the box `iloc`."""

    method: int
    ranges: list[Range]
    entry: bytes


@dataclass(frozen=True, slots=True)
class Items:
    """The items by id: types, entries of `iinf` without the item's name, locations; and references between them."""

    primary: int
    types: dict[int, bytes]
    entries: dict[int, bytes]
    locations: dict[int, Location]
    references: list[tuple[bytes, int, tuple[int, ...]]] = field(default_factory=list)

    def needed(self) -> set[int]:
        """The primary item, what it is made of, and the alpha planes of these. Not: thumbnails, EXIF, XMP, the rest."""
        if self.types.get(self.primary) not in _IMAGES:
            raise Unreadable("it has no primary image")
        needs, found, waiting = self._needs(), {self.primary}, [self.primary]
        while waiting:
            new = {item for item in needs[waiting.pop()] if self.types.get(item) in _IMAGES} - found
            found |= new
            waiting.extend(new)
        return found

    def _needs(self) -> defaultdict[int, list[int]]:
        """What each item is made of, and its alpha planes."""
        needs: defaultdict[int, list[int]] = defaultdict(list)
        for kind, source, targets in self.references:
            if kind == b"dimg":
                needs[source].extend(targets)
            elif kind == b"auxl":
                for item in targets:
                    needs[item].append(source)
        return needs

    def ranges(self, items: set[int], method: int) -> list[Range]:
        """The ranges of these items that count from the same place."""
        found = (self.locations[item] for item in items if item in self.locations)
        return merge(one for location in found if location.method == method for one in location.ranges)


def merge(ranges: Iterable[Range]) -> list[Range]:
    """The same bytes in ranges that are in order and do not overlap: many may name the same bytes."""
    merged: list[Range] = []
    for begin, end in sorted(ranges):
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def read_primary(body: bytes) -> int:
    """The id in the box `pitm`."""
    fields = Fields(body)
    version, _ = fields.version()
    return fields.number(4 if version else 2)


def read_types(body: bytes) -> tuple[dict[int, bytes], dict[int, bytes]]:
    """The types in the box `iinf`, and its entries without names, which people and programs may have written."""
    fields, types, entries = Fields(body), {}, {}
    version, _ = fields.version()
    fields.number(4 if version else 2)
    for box in split(body, fields.position, len(body)):
        entry = Fields(body[box.body : box.end])
        kind, flags = entry.version()
        if box.kind != b"infe" or kind not in {2, 3}:
            raise Unreadable("an item has no type")
        item, rest = entry.number(kind * 2 - 2), entry.take(6)  # protection and type
        number = item.to_bytes(kind * 2 - 2, "big")
        types[item] = rest[2:]
        entries[item] = to_box(b"infe", struct.pack(">BBH", kind, 0, flags & 0xFFFF) + number + rest + b"\0")
    return types, entries


def read_locations(body: bytes) -> dict[int, Location]:
    """The entries of the box `iloc`."""
    fields, found = Fields(body), {}
    version, _ = fields.version()
    sizes = fields.number(2)
    wide = 4 if version == 2 else 2  # noqa: PLR2004 - of ids and counts
    total = 0
    for _ in range(fields.number(wide)):
        start, item = fields.position, fields.number(wide)
        method = fields.number(2) & 15 if version else IN_FILE
        if fields.number(2) or method not in {IN_FILE, IN_IDAT}:
            raise Unreadable("its pixels are in another place")
        ranges = _read_ranges(fields, sizes, version)
        if (total := total + len(ranges)) > _MOST_RANGES:
            raise Unreadable("its pixels are in too many pieces")
        found[item] = Location(method, ranges, body[start : fields.position])
    return found


def _read_ranges(fields: Fields, sizes: int, version: int) -> list[Range]:
    offset, length, base, index = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15, sizes & 15 if version else 0
    start, ranges = fields.number(base), []
    for _ in range(fields.number(2)):
        fields.number(index)
        begin = start + fields.number(offset)
        size = fields.number(length)
        if not size:
            raise Unreadable("an item has no length")
        ranges.append((begin, begin + size))
    return ranges


def read_references(body: bytes) -> list[tuple[bytes, int, tuple[int, ...]]]:
    """Type, source and targets of each reference in the box `iref`."""
    fields = Fields(body)
    wide = 4 if fields.version()[0] else 2
    found = []
    for box in split(body, fields.position, len(body)):
        entry = Fields(body[box.body : box.end])
        source = entry.number(wide)
        found.append((box.kind, source, tuple(entry.number(wide) for _ in range(entry.number(2)))))
    return found
