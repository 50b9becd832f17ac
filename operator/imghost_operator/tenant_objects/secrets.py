"""Secrets: each holds what one group of processes needs and no other."""

from base64 import b64encode
from collections.abc import Mapping

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.platform import Object
from imghost_operator.tenant_objects.meta import Component, Owner

REGISTRIES = "registries"
"""The Secret that images are pulled with; there only when the operator was given credentials."""
_DOCKER = ".dockerconfigjson"

OF: Mapping[Component, tuple[str, ...]] = {
    "api": ("database-api", "storage", "api-signing", "internal"),
    "imaging": ("database-imaging", "storage", "internal"),
    "migrate": ("database-owner",),
}
"""Which Secrets the pods of a component take their environment from."""


def secrets(owner: Owner, inputs: BuildInputs) -> list[Object]:
    """All Secrets of a tenant."""
    made = [_secret(owner, name, values) for name, values in values_of(inputs).items()]
    if config := inputs.release.registries:
        made.append(_secret(owner, REGISTRIES, {_DOCKER: config}, "kubernetes.io/dockerconfigjson"))
    return made


def values_of(inputs: BuildInputs) -> dict[str, dict[str, str]]:
    """Name of a Secret → environment it holds."""
    database, signing = inputs.database, inputs.signing
    return {
        "database-owner": {
            "DATABASE_URL": database.urls["owner"],
            "API_ROLE": database.roles["api"],
            "IMAGING_ROLE": database.roles["imaging"],
        },
        "database-api": {"DATABASE_URL": database.urls["api"]},
        "database-imaging": {"DATABASE_URL": database.urls["imaging"]},
        "storage": dict(inputs.store.secret),
        "api-signing": {"JWT_PRIVATE_KEY": signing.jwt_private_key, "API_KEY_PEPPER": signing.api_key_pepper},
        "internal": {"INTERNAL_TOKEN": signing.internal_token},
    }


def _secret(owner: Owner, name: str, values: Mapping[str, str], kind: str = "Opaque") -> Object:
    data = {key: b64encode(value.encode()).decode() for key, value in sorted(values.items())}
    return owner.build_object("v1", "Secret", name, {"type": kind, "data": data})
