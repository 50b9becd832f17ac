"""What one pass found: the input of the conditions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.built_object import BuiltObject
from imghost_operator.crd import ConditionType, Spec
from imghost_operator.errors import Problem
from imghost_operator.platform import Object, ObjectRef
from imghost_operator.provision.recovery import Recovered
from imghost_operator.reasons import Reason

Truth = Literal["True", "False", "Unknown"]
Area = Literal["spec", "credentials", "storage", "database"]
Problems = Mapping[ObjectRef | Area, Problem]


@dataclass(frozen=True, slots=True)
class ConditionResult:
    """A condition before time and generation are added."""

    type: ConditionType
    status: Truth
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class ReconcileState:
    """What one pass found.

    `spec` is None when it could not be read, `inputs` when they are not complete. `problems` are failures of this pass
    by the object or area they are about; the first one also becomes `lastError`. `enforces` is the platform's.
    `deletion` says, as (reason, message), what a deletion waits for. `recovered` is None when the credentials were not
    read; `migrated` names the Jobs that were seen complete, which may be deleted. `interrupted` is what ended the pass
    before it found anything else. `unknown_fields` are ignored parts of the spec. `standing_by` names the other
    installations of the operator's class.
    """

    enforces: frozenset[str]
    spec: Spec | None = None
    inputs: BuildInputs | None = None
    desired: Sequence[BuiltObject] = ()
    live: Mapping[ObjectRef, Object] = field(default_factory=dict)
    problems: Problems = field(default_factory=dict)
    deletion: tuple[Reason, str] | None = None
    recovered: Recovered | None = None
    migrated: frozenset[str] = frozenset()
    unknown_fields: tuple[str, ...] = ()
    standing_by: tuple[str, ...] = ()
    interrupted: Problem | None = None
