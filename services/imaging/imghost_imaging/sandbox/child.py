"""The child: waits for one piece of work on its channel, answers, and ends. It was locked down before."""

import os
import traceback
from collections.abc import Callable, Mapping
from socket import MSG_WAITALL, socket
from typing import Any, NoReturn

from imghost_core.errors import HttpError
from imghost_imaging.sandbox import lockdown, wire

Work = Callable[[dict[str, Any], bytes], tuple[dict[str, Any], list[bytes]]]
"""From arguments and untrusted bytes to a result, which JSON can express, and bodies."""
SLACK = 64 * 1024**2
"""Private writable memory, in bytes, that is reserved and never touched, such as the stacks of threads."""
_MAX_BYTES = 2**31


def serve(channel: socket, works: Mapping[str, Work], data_before: int) -> NoReturn:
    """Do one piece of work, then end. `data_before` is the private writable memory of a child that did nothing."""
    try:
        head, bodies = receive(channel)
        lockdown.limit_work(data_before + head["memory"] + SLACK, head["cpu_seconds"])
        answer, made = _answer(works[head["work"]], head["arguments"], bodies[0])
        channel.sendall(wire.encode(answer, made))
        for body in made:
            channel.sendall(body)
    except OSError:
        pass  # the service has closed the channel
    finally:
        os._exit(0)


def receive(channel: socket) -> tuple[dict[str, Any], list[bytes]]:
    """The next message. Raises `OSError` when the channel is closed before its end."""
    length = wire.decode_length(_take(channel, wire.LENGTH.size))
    head, sizes = wire.decode_head(_take(channel, length), most=_MAX_BYTES)
    return head, [_take(channel, size) for size in sizes]


def _take(channel: socket, size: int) -> bytes:
    body = channel.recv(size, MSG_WAITALL) if size else b""
    if len(body) < size:
        raise ConnectionError("the channel was closed")
    return body


def _answer(work: Work, arguments: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    try:
        result, bodies = work(arguments, data)
    except HttpError as error:
        return {"refused": error.code, "detail": error.detail}, []
    except MemoryError:
        return {"out_of_memory": True}, []
    except Exception as error:  # noqa: BLE001 - it is reported to the service, which fails with it
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return {"failed": type(error).__name__, "places": places[-10:]}, []
    return {"result": result}, bodies
