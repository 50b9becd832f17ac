"""Errors of routes, and the framework's validation errors, as problem documents."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from imghost_core.errors import InvalidRequest
from imghost_core.text import to_text
from imghost_core.web import problems

_MAX_FIELD_NAME = 100  # the client chooses the names of unknown fields


def add_handlers(app: FastAPI) -> None:
    """Respond to every failure of a route with a problem document."""
    problems.add_handlers(app)

    async def respond(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
        return problems.problem_response(_to_invalid_request(error), request)

    app.add_exception_handler(RequestValidationError, respond)


def _to_invalid_request(error: RequestValidationError) -> InvalidRequest:
    items = error.errors()
    broken = next((item for item in items if item["type"] == "json_invalid"), None)
    if broken is not None:
        reason = broken.get("ctx", {}).get("error", "it is unreadable")
        return InvalidRequest(f"The body is not JSON: {reason}, at character {broken['loc'][-1]}. Send a JSON object.")
    fields = [{"field": _field(item), "message": _message(item)} for item in items]
    summary = "; ".join(f"{item['field']}: {item['message']}" for item in fields)
    return InvalidRequest(f"Correct these fields and send the request again: {summary}.", errors=fields)


def _field(item: Mapping[str, Any]) -> str:
    path = [str(part) for part in item["loc"][1:]]
    return to_text(".".join(path) or str(item["loc"][0]))[:_MAX_FIELD_NAME]


def _message(item: Mapping[str, Any]) -> str:
    """The library's sentence: it states the rule, never the value that was sent."""
    return str(item["msg"]).removeprefix("Value error, ")
