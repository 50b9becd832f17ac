from imghost_core.errors import TooManyRequests, Unauthorized
from imghost_core.problems import problem, problem_headers


def test_a_problem_document_has_the_members_of_older_clients() -> None:
    """Errors are RFC 9457 documents that also carry success:false, message and errors[]."""
    document = problem(Unauthorized("The key is revoked."), instance="/upload", request_id="r-12345678")
    assert document == {
        "type": "https://imghost.dev/problems/unauthorized",
        "title": "Authentication required",
        "status": 401,
        "detail": "The key is revoked.",
        "instance": "/upload",
        "code": "unauthorized",
        "request_id": "r-12345678",
        "errors": [],
        "success": False,
        "message": "The key is revoked.",
    }


def test_extra_members_cannot_replace_the_standard_ones() -> None:
    """What an error adds never hides the status or the success flag."""
    error = TooManyRequests("Slow down.", retry_after=0, extra={"status": 200, "success": True, "limit": 5})
    document = problem(error, instance="/", request_id="")
    assert (document["status"], document["success"], document["limit"]) == (429, False, 5)
    assert problem_headers(error)["Retry-After"] == "1"
