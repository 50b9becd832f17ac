"""What one pass found, and what it is called: the material of the conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from imghost_core.errors import ImghostError
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd import ConditionType, Spec
from imghost_operator.platform import Object, ObjectRef

Truth = Literal["True", "False", "Unknown"]


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """A condition before it is stamped with time and generation."""

    type: ConditionType
    status: Truth
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ReconcileState:
    """What one pass found.

    `spec` is None when it could not be read, `facts` when they are not complete. `problems` are errors of this pass by
    the object they are about, or by the area ("storage", "database", or another word where none fits); the first one
    also becomes `lastError`. `enforces` is the platform's. `deletion` says, as (reason, message), what a deletion waits
    for.
    """

    enforces: frozenset[str]
    spec: Spec | None = None
    inputs: BuildInputs | None = None
    desired: Sequence[Object] = ()
    live: Mapping[ObjectRef, Object] = field(default_factory=dict)
    problems: Mapping[ObjectRef | str, ImghostError] = field(default_factory=dict)
    deletion: tuple[str, str] | None = None
