"""What an `up` tells of itself: one document in the state folder, which `status`, `--detach` and the screen read."""

from typing import Any, TypedDict, cast

from imghost_local.state import State

NAME = "status.json"


class Report(TypedDict, total=False):
    """`phase` is what is being done now, for people; `problem` what was refused last, until it is put right."""

    pid: int
    manifest: str
    phase: str
    problem: str
    ready: bool
    postgres: dict[str, Any]
    tenants: list[dict[str, Any]]


def read(state: State, pid: int | None) -> Report:
    """The last report of the `up` with this process id; empty before its first."""
    found = cast("Report", state.read(NAME))
    return found if pid is not None and found.get("pid") == pid else Report()
