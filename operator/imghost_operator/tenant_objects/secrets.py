"""Secrets: each holds what one group of processes needs and no other."""

from base64 import b64encode
from collections.abc import Mapping

from imghost_operator.build_inputs import BuildInputs
from imghost_operator.built_object import BuiltObject, Requirement
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import (
    API_KEY_PEPPER,
    DATABASE_SECRETS,
    DATABASE_URL,
    INTERNAL_SECRET,
    INTERNAL_TOKEN,
    JWT_PRIVATE_KEY,
    REGISTRIES_SECRET,
    SIGNING_SECRET,
    STORAGE_SECRETS,
    store_variables,
)
from imghost_operator.tenant_objects.meta import BACKEND_ANNOTATION, Component, Owner, digest

_DOCKER = ".dockerconfigjson"

OF: Mapping[Component, tuple[str, ...]] = {
    "api": (DATABASE_SECRETS["api"], STORAGE_SECRETS["api"], SIGNING_SECRET, INTERNAL_SECRET),
    "imaging": (DATABASE_SECRETS["imaging"], STORAGE_SECRETS["imaging"], INTERNAL_SECRET),
    "migrate": (DATABASE_SECRETS["owner"],),
    "worker": (DATABASE_SECRETS["api"], STORAGE_SECRETS["api"]),  # it deletes the objects of deleted images
}
"""Which Secrets the pods of a component take their environment from."""

_CREDENTIALS = {
    **dict.fromkeys(DATABASE_SECRETS.values(), frozenset({Requirement.DATABASE})),
    **dict.fromkeys(STORAGE_SECRETS.values(), frozenset({Requirement.STORAGE})),
}


def secrets(owner: Owner, inputs: BuildInputs) -> list[BuiltObject]:
    """All Secrets of a tenant. Credentials wait until their backend knows them: pods must not start with others."""
    made = [
        BuiltObject(_secret(owner, name, values), _CREDENTIALS.get(name, frozenset()))
        for name, values in values_of(inputs).items()
    ]
    for built in made:
        if built.ref.name in STORAGE_SECRETS.values():
            built.manifest["metadata"]["annotations"] = {BACKEND_ANNOTATION: digest(inputs.store.config)}
    if config := inputs.release.registries:
        made.append(BuiltObject(_secret(owner, REGISTRIES_SECRET, {_DOCKER: config}, "kubernetes.io/dockerconfigjson")))
    return made


def values_of(inputs: BuildInputs) -> dict[str, dict[str, str]]:
    """Name of a Secret → environment it holds."""
    database, signing = inputs.database, inputs.signing
    return {
        DATABASE_SECRETS["owner"]: {
            DATABASE_URL: database.urls["owner"],
            "API_ROLE": database.roles["api"],
            "IMAGING_ROLE": database.roles["imaging"],
        },
        DATABASE_SECRETS["api"]: {DATABASE_URL: database.urls["api"]},
        DATABASE_SECRETS["imaging"]: {DATABASE_URL: database.urls["imaging"]},
        **{name: store_variables(inputs.store, user) for user, name in STORAGE_SECRETS.items()},
        SIGNING_SECRET: {JWT_PRIVATE_KEY: signing.jwt_private_key, API_KEY_PEPPER: signing.api_key_pepper},
        INTERNAL_SECRET: {INTERNAL_TOKEN: signing.internal_token},
    }


def _secret(owner: Owner, name: str, values: Mapping[str, str], kind: str = "Opaque") -> Object:
    data = {key: b64encode(value.encode()).decode() for key, value in sorted(values.items())}
    return owner.build_object("v1", "Secret", name, {"type": kind, "data": data})
