"""Structured logs: one JSON object a line in a cluster, coloured and readable on a terminal."""

import logging
import sys
import traceback
from collections.abc import Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any

import structlog
from structlog.typing import EventDict, Processor

request_id: ContextVar[str] = ContextVar("request_id", default="")
_CHATTY = ("uvicorn", "pyvips")  # below a warning they repeat what our own logs contain
_DEEPEST = 10  # exceptions of one chain that are logged
_SECRET_WORDS = ("password", "secret", "token", "authorization", "api_key", "cookie", "database_url")


def configure(service: str, *, level: str, console: bool) -> None:
    """Send the logs of this process, and of the libraries in it, to standard error in one format.

    So are exceptions that end the process. Of an exception class and places are logged, and its text only when the
    class is ours: other texts quote what was parsed or sent, which may be a part of a URL or a password.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _context(service),
        _redact,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=True)
    )
    final: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.ExceptionRenderer(_describe_exception),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[*final, renderer]))
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for chatty in _CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    sys.excepthook = _log_uncaught


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; `log.info("upload stored", image=..., bytes=...)`."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def _context(service: str) -> Processor:
    def add(_logger: Any, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        if current := request_id.get():
            event["request_id"] = current
        return event

    return add


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        return
    logging.getLogger("imghost").critical("the process failed", exc_info=(kind, error, trace))


def _describe_exception(exc_info: Any) -> str:
    """Exceptions from cause to effect, each with its frames, without the texts of classes that are not ours."""
    return "\n".join(_described(exc_info[1])) if exc_info and exc_info[1] else ""


def _described(error: BaseException, depth: int = 0) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None and depth < _DEEPEST:
        yield from _described(before, depth + 1)
    for frame in traceback.extract_tb(error.__traceback__):
        yield f'  File "{frame.filename}", line {frame.lineno}, in {frame.name}'
    kind = type(error)
    is_ours = kind.__module__.partition(".")[0].startswith("imghost_")
    yield f"{kind.__module__}.{kind.__qualname__}" + (f": {error}" if is_ours else "")
    if isinstance(error, BaseExceptionGroup) and depth < _DEEPEST:
        for inner in error.exceptions:
            yield from _described(inner, depth + 1)


def _redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for name in event:
        if any(word in name.lower() for word in _SECRET_WORDS):
            event[name] = "[redacted]"
    return event
