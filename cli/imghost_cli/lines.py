"""Log lines made readable: source, time, message, and the fields of structured ones. Pure."""

import json
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

_COLOURS = ("cyan", "green", "magenta", "blue", "bright_cyan", "bright_green", "bright_magenta", "bright_blue")
_LEVELS = {"warning": "yellow", "error": "red", "critical": "red", "debug": "dim"}
_HIDDEN = frozenset({"event", "level", "timestamp", "logger", "service", "exception", "color_message"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to show. `style` is a colour by the level, empty for ordinary lines."""

    source: str
    time: str
    text: str
    style: str = ""
    details: tuple[str, ...] = ()


def source_of(path: PurePath) -> str:
    """The source of a log, from its path below the log folder: imghost-demo/api-0.log → demo/api-0."""
    return str(path.with_suffix("")).removeprefix("imghost-")


def colour_of(source: str) -> str:
    """The colour of a source, always the same."""
    return _COLOURS[sum(source.encode()) % len(_COLOURS)]


def parse(source: str, raw: str) -> Line:
    """A line of a log: JSON as our services write it, or anything else, which is shown as it is."""
    try:
        event = json.loads(raw)
    except ValueError:
        event = None
    if not isinstance(event, dict) or "event" not in event:
        return Line(source, "", printable(raw.rstrip()))
    fields = " ".join(f"{name}={_format(value)}" for name, value in event.items() if name not in _HIDDEN)
    level = str(event.get("level", "info"))
    marker = "" if level == "info" else f"{level}: "
    return Line(
        source,
        str(event.get("timestamp", ""))[11:19],
        f"{marker}{printable(str(event['event']))}{'  ' if fields else ''}{fields}",
        _LEVELS.get(level, ""),
        tuple(printable(line) for line in str(event.get("exception", "")).splitlines()),
    )


def printable(text: str) -> str:
    """`text` with control characters escaped: what clients sent must not control the reader's terminal."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _format(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = printable(text)
    return f'"{text}"' if " " in text else text
