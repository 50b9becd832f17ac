"""Log lines for people."""

import json
from pathlib import PurePath

from imghost_cli import lines


def test_structured_line_is_printed_as_a_sentence_with_its_fields() -> None:
    """A JSON line becomes time, event and fields; what everybody knows (logger, service) is left out."""
    raw = json.dumps(
        {
            "event": "request",
            "level": "info",
            "timestamp": "2026-01-02T03:04:05.678Z",
            "logger": "imghost.http",
            "service": "api",
            "status": 201,
            "path": "/up load",
        }
    )
    line = lines.parse("demo/api-0", raw)
    assert (line.source, line.time, line.style) == ("demo/api-0", "03:04:05", "")
    assert line.text == 'request  status=201 path="/up load"'


def test_errors_show_their_level_and_traceback() -> None:
    """An error is marked and coloured, its traceback follows line by line."""
    line = lines.parse("api", json.dumps({"event": "broke", "level": "error", "exception": "one\ntwo"}))
    assert line.text == "error: broke"
    assert line.style == "red"
    assert line.details == ("one", "two")


def test_other_lines_are_shown_as_they_are() -> None:
    """What is no JSON object of ours is not lost."""
    for raw in ("Segmentation fault", "[1, 2]", '{"no": "event"}'):
        assert lines.parse("imaging", raw + "\n").text == raw


def test_control_characters_of_clients_are_escaped() -> None:
    """Escape sequences and line breaks sent by a client show as text, wherever they are in the line."""
    attack = "\x1b[2J\x1b]0;owned\x07\r\n\u202eevil"
    for raw in (attack, json.dumps({"event": attack}), json.dumps({"event": "x", "path": attack, "exception": attack})):
        line = lines.parse("api", raw)
        shown = line.text + "".join(line.details)
        assert shown.isprintable(), repr(shown)


def test_log_sources_are_named_without_the_namespace_prefix() -> None:
    """Tenants' processes are shown without the prefix of their namespace."""
    assert lines.source_of(PurePath("imghost-demo/api-0.log")) == "demo/api-0"
    assert lines.source_of(PurePath("postgres.log")) == "postgres"
