"""Secrets: each holds what one group of processes needs and no other."""

from base64 import b64encode
from collections.abc import Mapping

from imghost_operator.build.meta import Component, Owner
from imghost_operator.facts import Facts
from imghost_operator.platform import Object

REGISTRIES = "registries"
"""The Secret that images are pulled with; there only when the operator was given credentials."""
_DOCKER = ".dockerconfigjson"

OF: Mapping[Component, tuple[str, ...]] = {
    "api": ("database-api", "storage", "api-signing", "internal"),
    "imaging": ("database-imaging", "storage", "internal"),
    "migrate": ("database-owner",),
}
"""Which Secrets the pods of a component take their environment from."""


def secrets(owner: Owner, facts: Facts) -> list[Object]:
    """All Secrets of a tenant."""
    made = [_secret(owner, name, values) for name, values in values_of(facts).items()]
    if config := facts.release.registries:
        made.append(_secret(owner, REGISTRIES, {_DOCKER: config}, "kubernetes.io/dockerconfigjson"))
    return made


def values_of(facts: Facts) -> dict[str, dict[str, str]]:
    """Name of a Secret → environment it holds."""
    database, signing = facts.database, facts.signing
    return {
        "database-owner": {
            "DATABASE_URL": database.urls["owner"],
            "API_ROLE": database.roles["api"],
            "IMAGING_ROLE": database.roles["imaging"],
        },
        "database-api": {"DATABASE_URL": database.urls["api"]},
        "database-imaging": {"DATABASE_URL": database.urls["imaging"]},
        "storage": dict(facts.store.secret),
        "api-signing": {"JWT_PRIVATE_KEY": signing.jwt_private_key, "API_KEY_PEPPER": signing.api_key_pepper},
        "internal": {"INTERNAL_TOKEN": signing.internal_token},
    }


def _secret(owner: Owner, name: str, values: Mapping[str, str], kind: str = "Opaque") -> Object:
    data = {key: b64encode(value.encode()).decode() for key, value in sorted(values.items())}
    return owner.own("v1", "Secret", name, {"type": kind, "data": data})
