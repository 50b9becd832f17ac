"""The real decoder, which fails as an image asks it to: in JSON behind its last byte, after `do:`. Run by path."""

import json
import signal
import time
from typing import Any

import pyvips

from imghost_imaging.formats import FORMATS
from imghost_imaging.render import engine, pipeline, results
from imghost_imaging.render.limits import Limits
from imghost_imaging.sandbox import fork_server

MARK = b"do:"
ERRORS: dict[str, Exception] = {
    "pyvips": pyvips.Error("bad", "chunk"),
    "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"),
    "value": ValueError("as planned"),
    "key": KeyError("x"),
    "recursion": RecursionError(),
    "os": OSError(5, "x"),
    "memory": MemoryError(),
}


def ask(body: bytes, **what: Any) -> bytes:
    """`body` as an image that makes the decoder fail: `error`, `signal`, `sleep` or `answer`."""
    return body + MARK + json.dumps(what).encode()


def render(arguments: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Make the renditions, unless the image asks for something else."""
    wanted = json.loads(data.rpartition(MARK)[2]) if MARK in data else {}
    if "error" in wanted:
        pipeline._decode(lambda: fail(wanted["error"]))  # noqa: SLF001 - where errors of libvips are read
    if "signal" in wanted:
        signal.raise_signal(wanted["signal"])
    if "sleep" in wanted:
        time.sleep(wanted["sleep"])
    if "answer" in wanted:
        return wanted["answer"], [b"body"] * wanted.get("bodies", 5)
    return results.to_message(pipeline.render(data, FORMATS, Limits(arguments["pixels"], arguments["frames"])))


def fail(name: str) -> None:
    """Raise one of `ERRORS`."""
    raise ERRORS[name]


if __name__ == "__main__":
    engine.configure(FORMATS)
    fork_server.serve({"render": render}, dict)
