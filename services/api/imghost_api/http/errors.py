"""The framework's complaints about a request, told as our own problem documents."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError

from imghost_core.errors import InvalidRequest
from imghost_core.web import problems

_LONGEST_NAME = 100  # a field's name may be the caller's own invention


def add_handlers(app: FastAPI) -> None:
    """Answer every failure of a route as a problem document."""
    problems.add_handlers(app)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
        return problems.problem_response(_invalid(error), request.url.path)

    app.add_exception_handler(RequestValidationError, invalid)


def _invalid(error: RequestValidationError) -> InvalidRequest:
    found = error.errors()
    broken = next((item for item in found if item["type"] == "json_invalid"), None)
    if broken is not None:
        reason = broken.get("ctx", {}).get("error", "it cannot be read")
        return InvalidRequest(f"The body is not JSON: {reason}, at character {broken['loc'][-1]}. Send a JSON object.")
    fields = [{"field": _field(item), "message": _message(item)} for item in found]
    told = "; ".join(f"{item['field']}: {item['message']}" for item in fields)
    return InvalidRequest(f"Correct these fields and send the request again: {told}.", errors=fields)


def _field(item: Mapping[str, Any]) -> str:
    where = [str(part) for part in item["loc"][1:]]
    return (".".join(where) or str(item["loc"][0]))[:_LONGEST_NAME]


def _message(item: Mapping[str, Any]) -> str:
    """The library's sentence: it tells the rule, never the value that was sent."""
    return str(item["msg"]).removeprefix("Value error, ")
