import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from imghost_core import logs


@pytest.fixture(autouse=True)
def restored_logging() -> Iterator[None]:
    """Leave the logging of the test run as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
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
