"""The limits of one listener, and the names of what ends a connection because of them."""

from enum import StrEnum
from typing import Final, NamedTuple

from imghost_core.web.pace import Pace

HEAD_BYTES: Final = 72 * 1024
"""Of a head that is not complete, with its request line; the same for what is around the data of a chunked body."""
CHUNK_FRAMING: Final = 5
"""Bytes around the data of a chunk, at least: a digit and two line ends."""
FRAMING_BYTES: Final = 16 * 1024
"""By which the framing of chunks may exceed their data."""
PIPELINED: Final = 16
"""Requests that may wait for the responses to earlier ones on their connection."""
TURN_AWAY_SECONDS: Final = 2.0
DISCARDED_BYTES: Final = 4 * 1024 * 1024
"""What is read in each second of a client that was refused, so that it can read why, however many there are."""


class Cause(StrEnum):
    """Why a connection was refused, or ended before its client closed it."""

    FULL = "full"
    ADDRESS = "address"
    GAVE_WAY = "gave_way"
    HEAD_TOO_LARGE = "head_too_large"
    INVALID = "invalid"
    FRAMING = "framing"
    PIPELINE = "pipeline"
    SLOW_HEAD = "slow_head"
    SLOW_BODY = "slow_body"
    SLOW_READER = "slow_reader"
    BUFFERS = "buffers"
    IDLE = "idle"
    REFUSED = "refused"


class Limits(NamedTuple):
    """How many connections, how long, how slow.

    `linger_seconds` is for a body whose response was sent before its end, `discarded_bytes` for all such bodies in
    each second.
    """

    in_all: int = 4096
    per_address: int = 1024
    head_seconds: float = 20.0
    keep_alive_seconds: float = 75.0
    linger_seconds: float = 30.0
    buffered_bytes: int = 128 * 1024 * 1024
    discarded_bytes: int = 64 * 1024 * 1024
    pace: Pace = Pace()
    sweep_seconds: float = 1.0
