"""`/problems` and `/problems/{code}`: public pages for people who follow the `type` of a problem document."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse

from imghost_api.access.declarations import PUBLIC
from imghost_api.http.fields import Text
from imghost_api.problem_pages.page import render_index, render_page
from imghost_core.errors import NotFound
from imghost_core.problems import problem_types

router = APIRouter(prefix="/problems", dependencies=[PUBLIC], include_in_schema=False)

_HEADERS = {
    "Cache-Control": "public, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
}


@router.get("")
async def list_problems() -> HTMLResponse:
    """Every problem type, linked."""
    return HTMLResponse(render_index(problem_types().values()), headers=_HEADERS)


@router.get("/{code}")
async def show_problem(code: Annotated[Text, Path(max_length=100)]) -> HTMLResponse:
    """One problem type."""
    if (problem_type := problem_types().get(code)) is None:
        raise NotFound("No problem has this code. /problems lists all of them.")
    return HTMLResponse(render_page(problem_type), headers=_HEADERS)
