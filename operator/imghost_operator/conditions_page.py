"""`docs/conditions.md`: generated from `reasons` and `crd.ConditionType`, so that every word can be looked up."""

from collections.abc import Iterable, Mapping

from imghost_operator.crd import ConditionType
from imghost_operator.reasons import Reason

CONDITIONS: Mapping[ConditionType, str] = {
    "Ready": "uploads are accepted and images are delivered; else the reason of the first part below that is not True",
    "Progressing": "something is being changed, or a failed step is repeated",
    "NamespaceReady": "namespace, service accounts, quota and limits are as the spec asks for",
    "SecretsReady": "Secrets and ConfigMaps are",
    "NetworkReady": "network policies and Services are",
    "CredentialsStored": "a second copy of all credentials exists; without it no credential is made or changed",
    "StorageReady": "storage prefix and access keys are provisioned",
    "DatabaseReady": "database and roles are provisioned",
    "SchemaReady": "the pre migration of this release is complete; the rollout waits for it",
    "WorkloadsAvailable": "api and imaging each have an available pod",
    "WorkerAvailable": "the worker has an available pod; without one jobs and events wait. Not a part of Ready",
    "SchemaContracted": "the post migration of this release is complete. Not a part of Ready",
    "Paused": "`spec.paused` is set",
    "Deleting": "the tenant is being deleted; the reason says what it waits for",
    "Enforced": "the platform enforces policies and quotas",
    "Autoscaled": "the autoscalers that the spec asks for are active",
    "SoleInstallation": "no other installation of the operator waits to manage the same tenants. Not a part of Ready",
}
_GROUPS: tuple[tuple[str, Reason, Reason], ...] = (
    ("Ready and Progressing", Reason.SERVING, Reason.RETRYING),
    ("The parts", Reason.WAITING, Reason.SCALED_TO_ZERO),
    ("Failures, at any part", Reason.BACKEND_DOWN, Reason.UNEXPECTED_ERROR),
    ("Paused, Deleting, Enforced, Autoscaled, SoleInstallation", Reason.PAUSED, Reason.SECOND_INSTALLATION),
    ("Events", Reason.FIELD_CONFLICT, Reason.CREDENTIALS_NOT_REVOKED),
)
_INTRODUCTION = """\
<!-- Generated from imghost_operator.reasons by `make conditions`; not to be edited. -->
# Conditions, reasons and events of a tenant

`kubectl get iht` shows whether a tenant is Ready and why not; `kubectl describe iht NAME` shows every condition with a
message, and the events. A reason is one word that does not change between releases, so alerts may compare it; the
message says what was observed and what to do. An event is posted when a tenant becomes Ready or stops being Ready, with
the reason of the condition; events with reasons of their own are in the last table.
"""


def text() -> str:
    """The whole page."""
    conditions = _table(("condition", "True when"), ((f"`{kind}`", when) for kind, when in CONDITIONS.items()))
    return "\n".join([_INTRODUCTION, f"## Conditions\n\n{conditions}", *map(_group, _GROUPS)])


def _group(group: tuple[str, Reason, Reason]) -> str:
    title, first, last = group
    every = list(Reason)
    reasons = every[every.index(first) : every.index(last) + 1]
    rows = ((f"`{reason}`", reason.meaning, reason.advice) for reason in reasons)
    return f"## {title}\n\n{_table(('reason', 'what it means', 'what to do'), rows)}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
