"""AVIF without metadata: what is not part of the image is overwritten with zeros, and no longer listed as an item.

The file keeps its size, so that every offset in it stays valid. Layout: ISO/IEC 14496-12 and 23008-12, AVIF 1.1.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from imghost_imaging.metadata import avif_items, avif_meta, avif_sequence
from imghost_imaging.metadata.avif_items import Range
from imghost_imaging.metadata.boxes import Box, split, to_free
from imghost_imaging.metadata.errors import Unreadable


def strip(data: bytes, *, keep_copyright: bool) -> Iterator[bytes]:  # noqa: ARG001 - nothing is kept of its EXIF
    """The parts of `data` to deliver, in order. Raises `Unreadable`, possibly after the first parts.

    Orientation is a property of the image here, and EXIF does not turn it.
    """
    boxes = list(split(data, 0, len(data)))
    metas = [box for box in boxes if box.kind == b"meta"]
    if len(metas) != 1:
        raise Unreadable("it has no single list of items")
    items, parts = avif_meta.read(data, metas[0])
    needed = items.needed()
    ranges = items.ranges(needed, avif_items.IN_FILE)
    ranges += [one for box in boxes if box.kind == b"moov" for one in avif_sequence.ranges(data, box)]
    ranges = avif_items.merge(ranges)
    _check_inside(boxes, ranges)
    for box in boxes:
        if box.kind == b"ftyp":
            yield data[box.start : box.end]
        elif box.kind == b"meta":
            yield avif_meta.write(items, parts, needed, box.end - box.start)
        elif box.kind == b"moov":
            yield avif_sequence.write(data, box)
        elif box.kind == b"mdat":
            first, behind = bisect_left(ranges, (box.body,)), bisect_left(ranges, (box.end,))
            yield data[box.start : box.body] + avif_meta.erase(data, box.body, box.end, ranges[first:behind])
        else:
            yield to_free(box.end - box.start)


def _check_inside(boxes: list[Box], ranges: list[Range]) -> None:
    """Refuse a file whose pixels are not in `mdat`: they would be overwritten."""
    media = [box for box in boxes if box.kind == b"mdat"]
    for begin, end in ranges:
        box = media[bisect_right(media, begin, key=lambda one: one.body) - 1] if media else None
        if box is None or not box.body <= begin <= end <= box.end:
            raise Unreadable("its pixels are outside of its media data")
