"""The custom resource `ImageHostTenant` (`imghost.dev/v1`): models, schema and the CustomResourceDefinition."""

from imghost_operator.crd.schema import API_VERSION, GROUP, KIND, MAX_NAME, PLURAL, VERSION, manifest, root, text
from imghost_operator.crd.spec import Spec
from imghost_operator.crd.status import Condition, ConditionType, Status
from imghost_operator.crd.types import OWNED_SECRETS, RESERVED_ENV, is_owned_secret, is_reserved

__all__ = [
    "API_VERSION",
    "GROUP",
    "KIND",
    "MAX_NAME",
    "OWNED_SECRETS",
    "PLURAL",
    "RESERVED_ENV",
    "VERSION",
    "Condition",
    "ConditionType",
    "Spec",
    "Status",
    "is_owned_secret",
    "is_reserved",
    "manifest",
    "root",
    "text",
]
