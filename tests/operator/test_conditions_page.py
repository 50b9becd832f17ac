"""`docs/conditions.md` explains every reason that the operator gives."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from imghost_operator import conditions, deletion, errors, platform_conditions
from imghost_operator.crd import ConditionType

PAGE = (Path(__file__).parents[2] / "docs" / "conditions.md").read_text()
CAMEL_CASE = re.compile(r"([A-Z][a-z]+)+")
# Words of Kubernetes in the same sources: kinds, truths, and conditions of its own objects.
KUBERNETES = {
    *("ConfigMap", "Deployment", "HorizontalPodAutoscaler", "Job", "LimitRange", "Namespace", "NetworkPolicy"),
    *("PodDisruptionBudget", "ResourceQuota", "Secret", "Service", "ServiceAccount"),
    *("True", "False", "Unknown", "Normal", "Warning", "Retain"),
    *("AbleToScale", "Complete", "Failed", "FailureTarget", "ReplicaFailure", "ScalingActive", "SuccessCriteriaMet"),
}
# Met and dealt with by looking again; never a tenant's condition.
INSIDE = {errors.StaleObject, errors.TenantGone, errors.ListExpired, errors.NotLeader, errors.ObjectNotFound}


@pytest.mark.parametrize("module", [conditions, platform_conditions, deletion], ids=lambda module: module.__name__)
def test_every_reason_is_explained(module: object) -> None:
    """What stands in a condition or event can be looked up, with what to do about it."""
    tree = ast.parse(Path(str(module.__file__)).read_text())  # type: ignore[attr-defined]
    words = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    reasons = {word for word in words if CAMEL_CASE.fullmatch(word)} - KUBERNETES - set(get_args(ConditionType))
    assert len(reasons) >= 3
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} == set()


def test_every_failure_is_explained() -> None:
    """So can each failure whose code becomes a reason."""
    kinds = [it for it in vars(errors).values() if isinstance(it, type) and it.__module__ == errors.__name__]
    reasons = {conditions.reason_of(kind.__new__(kind)) for kind in kinds if kind not in INSIDE}
    assert {"BackendDown", "NotOurs"} <= reasons
    assert {reason for reason in reasons if f"`{reason}`" not in PAGE} == set()


def test_every_condition_is_explained() -> None:
    """And each condition; the page names none that there is not."""
    assert {kind for kind in get_args(ConditionType) if f"`{kind}`" not in PAGE} == set()
    first_cells = re.findall(r"^\| (`[^|]*`) \|", PAGE, re.MULTILINE)
    named = {word for cell in first_cells for word in re.findall(r"`(\w+)`", cell)}
    codes = {conditions.reason_of(kind.__new__(kind)) for kind in vars(errors).values() if isinstance(kind, type)}
    assert named <= set(get_args(ConditionType)) | codes
