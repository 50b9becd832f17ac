"""Messages between the service and a child: a length, a JSON object, and bodies whose sizes it names. Never pickled."""

import json
import struct
from collections.abc import Sequence
from typing import Any

LENGTH = struct.Struct(">I")
MAX_HEAD = 64 * 1024
_SIZES = "sizes"


class InvalidMessage(ValueError):
    """The bytes are not a message of this form."""


def encode(head: dict[str, Any], bodies: Sequence[bytes]) -> bytes:
    """The start of a message, which the bodies follow."""
    text = json.dumps(head | {_SIZES: [len(body) for body in bodies]}).encode()
    return LENGTH.pack(len(text)) + text


def decode_length(start: bytes) -> int:
    """Size of the JSON object in bytes. Raises `InvalidMessage`."""
    (length,) = LENGTH.unpack(start)
    if length > MAX_HEAD:
        raise InvalidMessage(f"a message starts with {length} bytes; at most {MAX_HEAD} are allowed")
    return int(length)


def decode_head(text: bytes, *, most: int) -> tuple[dict[str, Any], list[int]]:
    """The JSON object, and the sizes of the bodies, together at most `most` bytes. Raises `InvalidMessage`."""
    try:
        head = json.loads(text)
        sizes = head.pop(_SIZES)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise InvalidMessage("a message is not a JSON object with sizes") from error
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) > most:
        raise InvalidMessage("a message names impossible sizes")
    return head, sizes
