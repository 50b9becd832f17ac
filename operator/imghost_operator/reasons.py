"""Every reason of a condition or event, what it means and what to do. `docs/conditions.md` is generated from it.

A reason is an interface: alerts and scripts compare it, so it does not change between releases.
"""

from enum import StrEnum
from typing import Self


class Reason(StrEnum):
    """A reason; its value is the word that stands in a condition or event."""

    meaning: str
    advice: str

    def __new__(cls, word: str, meaning: str, advice: str = "") -> Self:
        member = str.__new__(cls, word)
        member._value_, member.meaning, member.advice = word, meaning, advice
        return member

    @classmethod
    def of(cls, word: str) -> "Reason":
        """The reason with this word."""
        return next(reason for reason in cls if reason == word)

    # Of the summary.
    SERVING = "Serving", "uploads are accepted and images are delivered"
    SETTLED = "Settled", "everything is as the spec asks for"
    ROLLING_OUT = "RollingOut", "pods of the current template replace older ones", "wait"
    RETRYING = "Retrying", "the last attempt failed; it is repeated", "the message of the condition that failed"

    # Of the parts.
    WAITING = "Waiting", "it has not been evaluated yet, or waits for an earlier step", "wait"
    APPLYING = "Applying", "some objects are still missing", "wait"
    APPLIED = "Applied", "all objects are as the spec asks for"
    PROVISIONED = "Provisioned", "storage prefix and access keys, or database and roles, exist"
    STORED = "Stored", "a copy of all credentials is in the operator's namespace"
    CREDENTIALS_RESTORED = (
        "CredentialsRestored",
        "Secrets of the tenant were missing or changed, or the tenant was created again; the copy was used",
        "to replace credentials, change `spec.credentials`; else find out who changed the Secrets",
    )
    MIGRATING = "Migrating", "the Job `migrate-pre-…` or `migrate-post-…` is running; pods keep serving", "wait"
    MIGRATED = "Migrated", "the migration of this release is complete"
    MIGRATION_FAILED = (
        "MigrationFailed",
        "the pre migration failed, so nothing was rolled out; pods of the previous release keep serving",
        "read the logs of the Job that the message names and fix the cause; deleting the Job retries immediately",
    )
    WAITING_FOR_ROLLOUT = (
        "WaitingForRollout",
        "the post migration starts when every pod of the tenant belongs to this release",
        "wait; if it lasts, see `WorkloadsAvailable` and `WorkerAvailable`",
    )
    POST_MIGRATION_FAILED = (
        "PostMigrationFailed",
        "the post migration failed; the release serves, but the schema still has what only older releases need",
        "read the logs of the Job that the message names and fix the cause; deleting the Job retries immediately",
    )
    PODS_AVAILABLE = "PodsAvailable", "each Deployment has an available pod"
    WAITING_FOR_PODS = (
        "WaitingForPods",
        "a Deployment has no available pod yet",
        "wait; if it lasts, see the pods' events",
    )
    QUOTA_EXCEEDED = (
        "QuotaExceeded",
        "a ResourceQuota or a LimitRange rejects a pod of a rollout or a migration",
        "see the message; raise `spec.quota.compute`, or ask for fewer or smaller pods",
    )
    PODS_REFUSED = (
        "PodsRefused",
        "something else rejects a pod, such as an admission policy",
        "the message is the cluster's own",
    )
    ROLLOUT_STUCK = (
        "RolloutStuck",
        "new pods do not become ready; older ones keep serving",
        "see events and logs of the new pods; often an image cannot be pulled",
    )
    SCALED_TO_ZERO = "ScaledToZero", "the spec asks for no pod", "raise `replicas`"

    # Of failures, at any part.
    BACKEND_DOWN = (
        "BackendDown",
        "PostgreSQL or the object store does not respond; running pods stay, uploads get a 503",
        "restore the backend; the tenant recovers without further action",
    )
    BACKEND_REFUSED = (
        "BackendRefused",
        "the backend rejected a step: the operator's account there has too few rights",
        "grant the rights that the chart's README names",
    )
    UNKNOWN_BACKEND = (
        "UnknownBackend",
        "`instanceRef` or `backendRef` names no backend of this operator",
        "use a name from the message, or add the backend to the chart's values",
    )
    PLATFORM_DOWN = "PlatformDown", "the Kubernetes API does not respond", "wait"
    PLATFORM_REFUSED = (
        "PlatformRefused",
        "the Kubernetes API rejected a request: a missing right, a policy or an invalid object",
        "usually RBAC was changed by hand: run `helm upgrade` to restore it",
    )
    NOT_OWNED = (
        "NotOwned",
        "an object with a required name belongs to something else; the operator never takes it over",
        "rename or delete it, as the message says",
    )
    NAMESPACE_NOT_LISTED = (
        "NamespaceNotListed",
        "the operator works in listed namespaces only, and the tenant's is not among them",
        "add it to `namespaces` of the chart's values",
    )
    NAMESPACE_MISSING = (
        "NamespaceMissing",
        "the namespace is listed but does not exist, and this operator does not create namespaces",
        'create it, with the label that enforces Pod Security "restricted"',
    )
    NAMESPACE_TERMINATING = (
        "NamespaceTerminating",
        "the tenant's namespace, perhaps of an earlier tenant of this name, is being deleted; it is created again then",
        "wait; if it lasts, the conditions of the namespace name what holds it up, often a finalizer",
    )
    INVALID_SPEC = (
        "InvalidSpec",
        "the stored spec does not fit this operator",
        "edit the field that the message names, or install the CRD of this operator",
    )

    UNEXPECTED_ERROR = (
        "UnexpectedError",
        "a pass failed in a way that nothing expected: a defect of the operator; pods keep running",
        "report it with the operator's log; the metric `imghost_operator_unexpected_errors_total` counts them",
    )

    # Of the rest.
    PAUSED = "Paused", "the operator changes nothing", "set `spec.paused` to false to continue"
    PAUSED_BY_SPEC = "PausedBySpec", "`spec.paused` is true", "set it to false to continue"
    NOT_PAUSED = "NotPaused", "changes of the spec are applied"
    NOT_DELETING = "NotDeleting", "no deletion was requested"
    DELETING = "Deleting", "the tenant is being deleted", "wait"
    STOPPING_PODS = "StoppingPods", "pods end first, then their credentials", "wait"
    WAITING_FOR_BACKEND = (
        "WaitingForBackend",
        "data cannot be deleted while a backend does not respond",
        "restore the backend; or set `spec.deletionPolicy` to `Retain` to delete the tenant and keep its data",
    )
    STUCK = (
        "Stuck",
        "the same for more than ten minutes",
        "restore the backend; or set `spec.deletionPolicy` to `Retain` to delete the tenant and keep its data",
    )
    ENFORCED = "Enforced", "the platform enforces policies and quotas"
    NOT_ENFORCED_HERE = "NotEnforcedHere", "they are stored, but this platform does not enforce them, as with `make up`"
    POD_SECURITY_NOT_ENFORCED = (
        "PodSecurityNotEnforced",
        "a namespace that the operator did not create does not enforce Pod Security",
        "ask its owner to add the label that the message names",
    )
    AUTOSCALED = "Autoscaled", "autoscaling is active"
    NOT_REQUESTED = "NotRequested", "the spec sets the numbers of pods"
    AUTOSCALER_INACTIVE = (
        "AutoscalerInactive",
        "an autoscaler has no metrics and leaves the number of pods as it is; the message gives its own reason",
        "check that metrics-server runs",
    )

    SOLE_INSTALLATION = "SoleInstallation", "one installation of the operator manages the tenant"
    SECOND_INSTALLATION = (
        "SecondInstallation",
        "another installation of the operator, of the same class, stands by; it changes nothing while this one runs",
        "uninstall one of the two, or give it another `operatorClass`",
    )

    # Of events only.
    FIELD_CONFLICT = (
        "FieldConflict",
        "another tool keeps writing a field that the operator manages; the field was restored",
        "stop the manager that the message names from writing the field",
    )
    CONTESTED = (
        "Contested",
        "another tool changes an object again and again; the operator restores it less and less often",
        "find the other writer in the object's `managedFields`, and stop one of the two",
    )
    CHANGED_BY_ADMISSION = (
        "ChangedByAdmission",
        "an admission webhook or policy of the cluster changed a workload while it was written; it is kept like that",
        "nothing, if that is meant; otherwise exempt the namespace from the webhook",
    )
    UNKNOWN_FIELD = (
        "UnknownField",
        "the spec has a field that only another version of the operator knows; it is ignored",
        "upgrade the operator, or remove the field",
    )
    DELETION_STUCK = "DeletionStuck", "the deletion waits for a backend for more than ten minutes", "see `Stuck`"
    CREDENTIALS_NOT_REVOKED = (
        "CredentialsNotRevoked",
        "the tenant was deleted with `Retain` while a backend did not respond",
        "revoke what the message names there",
    )
