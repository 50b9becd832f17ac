"""What can go wrong while reconciling, told apart by what helps: waiting, a person, or simply another look."""

from imghost_core.errors import Conflict, Forbidden, ImghostError, NotFound, Unavailable


class PlatformDown(Unavailable):
    """The Kubernetes API (or what stands in for it) does not answer, or asks for patience. Trying again helps."""

    code = "platform_down"


class PlatformRefused(Forbidden):
    """The platform answered and said no: a right is missing, a quota is full, an object is not valid."""

    code = "platform_refused"


class Changed(Conflict):
    """The object is no longer the one that was looked at. Looking again helps, at once."""

    code = "changed"


class NotOurs(Conflict):
    """An object with a name we need exists and does not belong to this tenant; it is never taken over."""

    code = "not_ours"


class NamespaceNotListed(ImghostError):
    """The operator works in listed namespaces only, and the tenant's is not among them."""

    status, code, title = 422, "namespace_not_listed", "The tenant's namespace is not among the operator's"


class NamespaceMissing(ImghostError):
    """The operator makes no namespaces, and nobody has made the tenant's."""

    status, code, title = 422, "namespace_missing", "The tenant's namespace does not exist"


class TenantGone(NotFound):
    """The tenant itself no longer exists: there is nothing left to do for it."""

    code = "tenant_gone"


class ListExpired(Conflict):
    """The version a watch or a list went on from is no longer kept (HTTP 410): list again."""

    code = "list_expired"


class NotLeader(ImghostError):
    """Another operator leads, or may by now: nothing more may be written by this one."""

    status, code, title = 409, "not_leader", "Another operator leads"


class BackendDown(Unavailable):
    """A database server or object store does not answer. Trying again helps."""

    code = "backend_down"


class BackendRefused(ImghostError):
    """A database server or object store answered and refused: the operator's own rights there are too small."""

    status, code, title = 502, "backend_refused", "A backend refused the operator"


class UnknownBackend(ImghostError):
    """A tenant names a database instance or store that this operator's settings do not."""

    status, code, title = 422, "unknown_backend", "The tenant names a backend that is not configured"


class InvalidSpec(ImghostError):
    """The spec does not fit what this operator knows: it was stored under another version of the CRD."""

    status, code, title = 422, "invalid_spec", "The spec is not valid for this operator"


class Missing(NotFound):
    """The platform has no object of this name."""

    code = "missing"


class FieldConflict(Conflict):
    """Fields that we apply belong to other field managers; `managers` names them."""

    code = "field_conflict"

    def __init__(self, detail: str, managers: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.managers = managers
