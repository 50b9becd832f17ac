"""What can go wrong while reconciling, told apart by what helps: waiting, a person, or simply another look."""

from imghost_core.errors import ImghostError


class PlatformDown(ImghostError):
    """The Kubernetes API (or what stands in for it) does not answer, or asks for patience. Trying again helps."""

    code = "platform_down"


class PlatformRefused(ImghostError):
    """The platform answered and said no: a right is missing, a quota is full, an object is not valid."""

    code = "platform_refused"


class StaleObject(ImghostError):
    """The object is no longer the one that was looked at. Looking again helps, at once."""

    code = "changed"


class NotOwned(ImghostError):
    """An object with a name we need exists and does not belong to this tenant; it is never taken over."""

    code = "not_ours"


class NamespaceNotListed(ImghostError):
    """The operator works in listed namespaces only, and the tenant's is not among them."""

    code = "namespace_not_listed"


class NamespaceMissing(ImghostError):
    """The operator makes no namespaces, and nobody has made the tenant's."""

    code = "namespace_missing"


class TenantGone(ImghostError):
    """The tenant itself no longer exists: there is nothing left to do for it."""

    code = "tenant_gone"


class ListExpired(ImghostError):
    """The version a watch or a list went on from is no longer kept (HTTP 410): list again."""

    code = "list_expired"


class NotLeader(ImghostError):
    """Another operator leads, or may by now: nothing more may be written by this one."""

    code = "not_leader"


class BackendDown(ImghostError):
    """A database server or object store does not answer. Trying again helps."""

    code = "backend_down"


class BackendRefused(ImghostError):
    """A database server or object store answered and refused: the operator's own rights there are too small."""

    code = "backend_refused"


class UnknownBackend(ImghostError):
    """A tenant names a database instance or store that this operator's settings do not."""

    code = "unknown_backend"


class InvalidSpec(ImghostError):
    """The spec does not fit what this operator knows: it was stored under another version of the CRD."""

    code = "invalid_spec"


class ObjectNotFound(ImghostError):
    """The platform has no object of this name."""

    code = "missing"


class FieldConflict(ImghostError):
    """Fields that we apply belong to other field managers; `managers` names them."""

    code = "field_conflict"

    def __init__(self, detail: str, managers: tuple[str, ...]) -> None:
        super().__init__(detail)
        self.managers = managers
