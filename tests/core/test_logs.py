import json
import logging
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
import structlog

from imghost_core import logs
from imghost_core.errors import Unavailable


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root, hook = logging.getLogger(), sys.excepthook
    before, level = root.handlers[:], root.level
    yield
    sys.excepthook = hook
    root.handlers[:], root.level = before, level
    structlog.reset_defaults()


def test_one_event_is_one_json_line_with_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    """Ours and a library's events have one shape; control characters in a value cannot forge a second line."""
    logs.configure("api", level="info", console=False)
    token = logs.request_id.set("request-1")
    logs.get("imghost.test").info("upload stored", filename="a\nb\x1b[31m", bytes=5)
    logging.getLogger("some.library").warning("slow %s", "query")
    logs.request_id.reset(token)
    ours, theirs = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["service"], ours["request_id"]) == ("upload stored", "api", "request-1")
    assert ours["filename"] == "a\nb\x1b[31m"
    assert (theirs["event"], theirs["level"], theirs["request_id"]) == ("slow query", "warning", "request-1")


def test_values_named_like_secrets_are_not_written(capsys: pytest.CaptureFixture[str]) -> None:
    """A password or a key that is logged by name is replaced."""
    logs.configure("api", level="info", console=False)
    logs.get("imghost.test").info("login", password="canary-1", api_key="canary-2", user="ada")
    written = capsys.readouterr().err
    assert "canary" not in written
    assert "ada" in written


def test_a_terminal_gets_readable_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """On a terminal a line reads as text, not as JSON."""
    logs.configure("imaging", level="info", console=True)
    logs.get("imghost.test").info("codec check passed", formats="jpeg,png")
    line = capsys.readouterr().err
    assert "codec check passed" in line
    assert not line.startswith("{")


def _fail() -> None:
    """Raises what quotes a part of a password, as the standard library does, and ours around it."""
    try:
        _ = urlsplit("postgresql://admin:canary-1/canary-2@db:5432/x").port
    except ValueError as error:
        raise Unavailable("The database does not respond.") from error


@pytest.mark.parametrize("console", [True, False])
def test_an_exception_is_logged_without_what_it_quotes(console: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Classes and places of the whole chain are logged, and the text only of a class of ours."""
    logs.configure("operator", level="info", console=console)
    try:
        _fail()
    except Unavailable:
        logs.get("imghost.test").exception("pass failed")
    written = capsys.readouterr().err
    assert "canary" not in written
    assert all(part in written for part in ("ValueError", "in _fail", "Unavailable: The database does not respond."))


def test_an_exception_that_ends_the_process_is_logged_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    """It is one JSON line, without texts of others; a group shows what is in it."""
    logs.configure("operator", level="info", console=False)
    error = ExceptionGroup("canary", [KeyError("canary"), RuntimeError("canary")])
    sys.excepthook(type(error), error, None)
    written = capsys.readouterr().err
    line = json.loads(written)
    assert (line["level"], line["service"]) == ("critical", "operator")
    assert "canary" not in written
    assert "KeyError" in line["exception"]
    assert "RuntimeError" in line["exception"]
