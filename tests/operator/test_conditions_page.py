"""`docs/conditions.md` explains every condition and reason, and every failure that people see has a reason."""

from typing import get_args

import pytest

from imghost_core.errors import HttpError
from imghost_operator import conditions_page, errors
from imghost_operator.crd import ConditionType
from imghost_operator.reasons import Reason

PAGE = conditions_page.text()


def kinds(of: type[errors.OperatorError]) -> list[type[errors.OperatorError]]:
    """Every kind of failure below one."""
    return [kind for each in of.__subclasses__() for kind in (each, *kinds(each))]


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_explained(reason: Reason) -> None:
    """Each reason stands once in the tables of reasons, with what it means and what to do."""
    tables = PAGE.partition("\n## Ready and Progressing\n")[2]
    (row,) = [line for line in tables.splitlines() if line.startswith(f"| `{reason}` |")]
    assert row == f"| `{reason}` | {reason.meaning} | {reason.advice} |"
    assert reason.meaning


def test_every_condition_is_explained() -> None:
    """Each condition stands on the page, and no other."""
    section = PAGE.partition("## Conditions\n")[2].partition("\n## ")[0]
    assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == list(
        conditions_page.CONDITIONS
    )
    assert set(conditions_page.CONDITIONS) == set(get_args(ConditionType))


def test_every_problem_has_a_reason_of_its_own() -> None:
    """Failures that people see have a reason, a different one each, and none is an error of HTTP."""
    problems = kinds(errors.Problem)
    assert len(problems) == 11
    assert len({kind.reason for kind in problems if issubclass(kind, errors.Problem)}) == len(problems)
    assert not [kind for kind in kinds(errors.OperatorError) if issubclass(kind, HttpError)]


def test_a_reason_is_found_by_its_word() -> None:
    """The word in a status leads back to the reason."""
    assert Reason.of("BackendDown") is Reason.BACKEND_DOWN
