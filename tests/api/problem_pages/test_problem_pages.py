"""The pages behind the `type` of a problem document."""

import re
from urllib.parse import urlsplit

import httpx

from imghost_api.problem_pages.page import render_page
from imghost_core.errors import HttpError
from imghost_core.problems import ProblemType, problem_types


async def test_the_type_of_an_error_leads_to_its_page(api: httpx.AsyncClient) -> None:
    """The path of the `type` of a problem document is a page with its meaning and what to do."""
    problem = (await api.get("/api/v1/images")).json()
    page = await api.get(urlsplit(problem["type"]).path)
    assert page.status_code == 200
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert f"<h1>{problem['title']}</h1>" in page.text
    assert "What to do" in page.text
    assert f"code <code>{problem['code']}</code>" in page.text


async def test_every_problem_has_a_page_and_is_listed(api: httpx.AsyncClient) -> None:
    """The index links the page of every code, and no other."""
    index = await api.get("/problems")
    links = re.findall(r'href="(problems/[a-z_]+)"', index.text)
    assert links == [f"problems/{code}" for code in problem_types()]
    for link in links:
        assert (await api.get(f"/{link}")).status_code == 200, link


async def test_an_unknown_code_is_a_problem_itself(api: httpx.AsyncClient) -> None:
    """A code that no problem has is answered with 404, without repeating what was sent."""
    response = await api.get("/problems/<script>alert(1)<%2Fscript>")
    assert response.status_code == 404
    assert "script" not in response.json()["detail"]


async def test_pages_run_no_scripts(api: httpx.AsyncClient) -> None:
    """The content security policy of a page allows its own style and nothing else."""
    page = await api.get("/problems/not_found")
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_values_are_escaped() -> None:
    """Text of a problem type is never markup; only backticks become code."""
    page = render_page(ProblemType("x", 400, "<b>", "`<i>`", "a & b"))
    assert "&lt;b&gt;" in page
    assert "<code>&lt;i&gt;</code>" in page
    assert "a &amp; b" in page


def test_every_problem_says_what_it_means_and_what_to_do() -> None:
    """No page is empty, and classes that share a code are kinds of one another."""
    for problem_type in problem_types().values():
        assert problem_type.meaning.endswith("."), problem_type
        assert problem_type.advice.endswith("."), problem_type
    classes = [HttpError]
    for error in classes:
        classes += error.__subclasses__()
    by_code: dict[str, list[type[HttpError]]] = {}
    for error in classes:
        by_code.setdefault(error.code, []).append(error)
    for code, (first, *others) in by_code.items():
        assert all(issubclass(other, first) for other in others), code
