"""The objects that the operator would create for a manifest, without a cluster: real builders, placeholder inputs."""

from base64 import b64decode
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from imghost_operator import tenant_objects
from imghost_operator.build_inputs import AccessKey, BuildInputs, Database, Release, Role, Signing, Store, StoreUser
from imghost_operator.crd import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import PORTS, in_cluster_url
from imghost_operator.tenant_objects.meta import namespace_of

PLACEHOLDER = "<set by the operator>"
_UID = "00000000-0000-0000-0000-000000000000"
_ROLES: tuple[Role, ...] = ("owner", "api", "imaging")
_STORE_USERS: tuple[StoreUser, ...] = ("api", "imaging")


def render(manifest: Mapping[str, Any], release: Release | None = None) -> list[Object]:
    """The objects of a checked manifest with defaults; secrets and addresses that only a cluster knows are marked."""
    name = manifest["metadata"]["name"]
    spec = Spec.model_validate(manifest["spec"])
    inputs = placeholder_facts(name, spec, release or _release())
    return [_redact(built.manifest) for built in tenant_objects.build(name, _UID, spec, inputs)]


def placeholder_facts(name: str, spec: Spec, release: Release) -> BuildInputs:
    """Inputs of the right shape that cannot be mistaken for real ones."""
    instance, store = spec.database.instance_ref, spec.storage.backend_ref
    host = f"{instance}.database.invalid"
    namespace = namespace_of(name)
    return BuildInputs(
        release=release,
        signing=Signing(PLACEHOLDER, PLACEHOLDER, PLACEHOLDER),
        database=Database(
            instance=instance,
            name=f"imghost_{name}",
            roles={role: f"imghost_{name}_{role}" for role in _ROLES},
            urls={role: f"postgresql://imghost_{name}_{role}@{host}:5432/imghost_{name}" for role in _ROLES},
            hosts=((host, 5432),),
        ),
        store=Store(
            backend=store,
            bucket=PLACEHOLDER,
            prefix=f"{name}/",
            config={
                "STORE_KIND": "s3",
                "S3_ENDPOINT": f"https://{store}.store.invalid",
                "S3_REGION": PLACEHOLDER,
                "S3_BUCKET": PLACEHOLDER,
                "S3_PREFIX": f"{name}/",
            },
            keys=dict.fromkeys(_STORE_USERS, AccessKey(PLACEHOLDER, PLACEHOLDER)),
        ),
        endpoints={port: in_cluster_url(namespace, port) for port in PORTS},
    )


def _release() -> Release:
    ours = version("imghost")
    return Release(version=ours, api_image=f"imghost-api:{ours}", imaging_image=f"imghost-imaging:{ours}")


def _redact(obj: Object) -> Object:
    """A Secret with readable placeholders instead of encoded ones."""
    if obj["kind"] != "Secret" or "data" not in obj:
        return obj
    plain = {key: b64decode(value).decode() for key, value in obj["data"].items()}
    shown = {key: value if key.endswith("_ROLE") else PLACEHOLDER for key, value in plain.items()}
    return {key: value for key, value in obj.items() if key != "data"} | {"stringData": shown}
