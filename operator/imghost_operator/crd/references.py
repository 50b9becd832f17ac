"""What workloads read from Secrets and ConfigMaps of the tenant's namespace, and plain variables.

The operator's own Secrets are refused: each process gets those that it needs, and no others.
"""

from typing import Annotated

from pydantic import ConfigDict, Field

from imghost_operator.crd.base import Part
from imghost_operator.crd.types import (
    OWNED_SECRETS,
    RESERVED_BY_SYSTEM,
    RESERVED_ENV,
    RESERVED_PREFIXES,
    Subdomain,
    rules,
)

_NOT_OURS = (
    f"!(self in {list(OWNED_SECRETS)!r})",
    "is a Secret that the operator makes, with credentials of imghost; name a Secret of your own",
)
SecretName = Annotated[Subdomain, Field(json_schema_extra=rules(_NOT_OURS))]
VOLUME_PREFIX = "mount-"
"""Begin of the names that volumes have in pods, so that none can have the name of one of ours."""


class ConfigMapKeyRef(Part):
    """One entry of a ConfigMap."""

    name: Subdomain = Field(description="Name of the ConfigMap, in the tenant's namespace.")
    key: str = Field(min_length=1, max_length=253, pattern="^[-._A-Za-z0-9]+$", description="Key of the entry.")
    optional: bool | None = Field(None, description="True: pods start without the variable while there is no entry.")


class SecretKeyRef(ConfigMapKeyRef):
    """One entry of a Secret."""

    name: SecretName = Field(description="Name of the Secret, in the tenant's namespace; not an operator's.")


class EnvSource(Part):
    """Where the value of a variable comes from."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("has(self.secretKeyRef) != has(self.configMapKeyRef)", "needs one of secretKeyRef and configMapKeyRef")
        )
    )

    secret_key_ref: SecretKeyRef | None = Field(None, description="An entry of a Secret.")
    config_map_key_ref: ConfigMapKeyRef | None = Field(None, description="An entry of a ConfigMap.")


class EnvVar(Part):
    """One environment variable: a value, taken literally, or one from a Secret or ConfigMap."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            ("!(has(self.value) && has(self.valueFrom))", "has either value or valueFrom; remove one of them")
        )
    )

    name: str = Field(
        min_length=1,
        max_length=128,
        pattern="^[A-Za-z_][A-Za-z0-9_]*$",
        description="Name of the variable.",
        json_schema_extra=rules(
            (
                f"!(self.upperAscii() in {list(RESERVED_ENV)!r})",
                "is set by the operator; use the field of the spec that stands for it",
            ),
            (
                f"!self.upperAscii().matches('^(({'|'.join(RESERVED_PREFIXES)})|({'|'.join(RESERVED_BY_SYSTEM)})$)')",
                "is for a library or the loader: it would change which code runs or which server is reached; remove it",
            ),
        ),
    )
    value: str | None = (
        Field(  # without a default: in items of a list, tools compare what is written with what is stored
            None,
            max_length=4096,
            description="Value of the variable, taken literally; empty if left out.",
            json_schema_extra=rules(
                ("!self.contains('$(')", "must not contain $(: references to other variables are not expanded")
            ),
        )
    )
    value_from: EnvSource | None = Field(
        None,
        description="Where a pod that starts reads the value from, instead of value. A change there replaces no pods.",
    )


class ConfigMapFiles(Part):
    """The entries of a ConfigMap as files."""

    name: Subdomain = Field(description="Name of the ConfigMap, in the tenant's namespace.")


class SecretFiles(Part):
    """The entries of a Secret as files."""

    secret_name: SecretName = Field(
        description="Name of the Secret, in the tenant's namespace; none of the operator's."
    )


class Volume(Part):
    """Files that pods read at /mnt/<name>."""

    model_config = ConfigDict(
        json_schema_extra=rules(("has(self.configMap) != has(self.secret)", "needs one of configMap and secret"))
    )

    name: str = Field(
        min_length=1,
        max_length=63 - len(VOLUME_PREFIX),
        pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        description="Name of the volume. It is mounted, to be read only, at /mnt/<name>.",
    )
    config_map: ConfigMapFiles | None = Field(None, description="A ConfigMap.")
    secret: SecretFiles | None = Field(None, description="A Secret.")
