"""Failures of a reconcile pass, distinguished by what resolves them: waiting, a person, or another pass."""

import traceback
from pathlib import Path
from typing import ClassVar

from imghost_core.errors import ImghostError
from imghost_operator.reasons import Reason


class OperatorError(ImghostError):
    """Base of all failures here."""


class Problem(OperatorError):
    """A failure that the conditions of the tenant report under `reason`."""

    reason: ClassVar[Reason]


class PlatformDown(Problem):
    """The Kubernetes API (or the local platform) does not respond, or rate-limits the operator. Retrying helps."""

    code, reason = "platform_down", Reason.PLATFORM_DOWN


class PlatformRefused(Problem):
    """The platform rejected a request: a right is missing, a quota is full, an object is not valid."""

    code, reason = "platform_refused", Reason.PLATFORM_REFUSED


class NotOwned(Problem):
    """An object with a required name exists and does not belong to this tenant; it is never taken over."""

    code, reason = "not_owned", Reason.NOT_OWNED


class NamespaceNotListed(Problem):
    """The operator works in listed namespaces only, and the tenant's is not among them."""

    code, reason = "namespace_not_listed", Reason.NAMESPACE_NOT_LISTED


class NamespaceMissing(Problem):
    """The operator does not create namespaces, and the tenant's does not exist."""

    code, reason = "namespace_missing", Reason.NAMESPACE_MISSING


class NamespaceTerminating(Problem):
    """The tenant's namespace is being deleted, so nothing can be created in it. Waiting helps."""

    code, reason = "namespace_terminating", Reason.NAMESPACE_TERMINATING


class BackendDown(Problem):
    """A database server or object store does not respond. Retrying helps."""

    code, reason = "backend_down", Reason.BACKEND_DOWN


class BackendRefused(Problem):
    """A database server or object store rejected a step: the operator's own rights there are too small."""

    code, reason = "backend_refused", Reason.BACKEND_REFUSED


class UnknownBackend(Problem):
    """A tenant names a database instance or store that this operator's settings do not."""

    code, reason = "unknown_backend", Reason.UNKNOWN_BACKEND


class InvalidSpec(Problem):
    """The spec does not fit this operator: it was stored under another version of the CRD."""

    code, reason = "invalid_spec", Reason.INVALID_SPEC


class UnexpectedError(Problem):
    """A pass raised what nothing expected: a defect of the operator. The text has class and place of the exception."""

    code, reason = "unexpected_error", Reason.UNEXPECTED_ERROR

    @classmethod
    def of(cls, error: BaseException) -> "UnexpectedError":
        """The problem that an exception is reported as, without its text, which may quote a secret."""
        frames = traceback.extract_tb(error.__traceback__)
        place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
        return cls(
            f"The operator failed unexpectedly ({type(error).__name__}{place}). Pods keep running; it is tried "
            "again. Report this as a bug, with the operator's log."
        )


class StaleObject(OperatorError):
    """The object is no longer the version that was read. Another pass helps, without delay."""

    code = "stale_object"


class ObjectNotFound(OperatorError):
    """The platform has no object of this name."""

    code = "object_not_found"


class TenantGone(OperatorError):
    """The tenant itself no longer exists: nothing is left to do for it."""

    code = "tenant_gone"


class ListExpired(OperatorError):
    """The version from which a watch or a list continues is no longer kept (HTTP 410): list again."""

    code = "list_expired"


class NotLeader(OperatorError):
    """Another operator leads, or may lead by now; this one must not write."""

    code = "not_leader"


class InvalidSettings(OperatorError):
    """The operator cannot start with its settings. The text names the setting, never its value."""

    code = "invalid_settings"


class FieldConflict(OperatorError):
    """Fields that we apply belong to other field managers; `managers` names them."""

    code = "field_conflict"

    def __init__(self, detail: str, managers: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.managers = managers
