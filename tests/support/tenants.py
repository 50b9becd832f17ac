"""Tenants and what surrounds them, for tests of the operator's pure half."""

from dataclasses import replace
from typing import Any

from imghost_operator import admission, tenant_objects
from imghost_operator.build_inputs import AccessKey, BuildInputs, Database, Release, Role, Signing, Store
from imghost_operator.crd import Spec
from imghost_operator.platform import Object, ObjectRef

UID = "7d3f0f1e-2f0a-4c8a-9a53-3c8f6c2d9b10"
ENFORCED = frozenset(
    {"HorizontalPodAutoscaler", "LimitRange", "Namespace", "NetworkPolicy", "PodDisruptionBudget", "ResourceQuota"}
)

S3 = Store(
    backend="default",
    bucket="images",
    prefix="demo/",
    config={
        "STORE_KIND": "s3",
        "S3_ENDPOINT": "http://minio.storage.svc:9000",
        "S3_REGION": "us-east-1",
        "S3_BUCKET": "images",
        "S3_PREFIX": "demo/",
    },
    keys={
        "api": AccessKey("demo-key", "canary-store-secret"),
        "imaging": AccessKey("demo-key-imaging", "canary-imaging-store-secret"),
    },
)
FILES = Store(
    backend="default",
    bucket="",
    prefix="demo/",
    config={"STORE_KIND": "filesystem", "STORE_ROOT": "/var/lib/images/demo"},
)


def tenant(name: str = "demo", generation: int = 1, **spec: Any) -> Object:
    """A tenant as the cluster stores it, defaults written out."""
    manifest = {
        "apiVersion": "imghost.dev/v1",
        "kind": "ImageHostTenant",
        "metadata": {"name": name, "uid": UID, "generation": generation},
        "spec": spec,
    }
    return admission.with_defaults(manifest)


def spec_of(**spec: Any) -> Spec:
    """A spec with defaults."""
    return Spec.model_validate(tenant(**spec)["spec"])


def inputs(
    store: Store = S3,
    database_host: str = "postgres.databases.svc:5432",
    database_networks: tuple[str, ...] = (),
    version: str = "1.2.3",
    api_password: str = "canary-api-password",
    registries: str = "",
) -> BuildInputs:
    """Facts of the tenant demo; every secret in them starts with "canary"."""
    passwords: dict[Role, str] = {
        "owner": "canary-owner-password",
        "api": api_password,
        "imaging": "canary-imaging-password",
    }
    return BuildInputs(
        release=Release(version, "imghost-api:1", "imghost-imaging:1", registries=registries),
        signing=Signing(
            jwt_private_key="canary-private-key",
            api_key_pepper="canary-pepper-of-at-least-32-characters",
            internal_token="canary-token-of-at-least-32-characters",
        ),
        database=Database(
            instance="default",
            name="imghost_demo",
            roles={role: f"imghost_demo_{role}" for role in passwords},
            urls={
                role: f"postgresql://imghost_demo_{role}:{password}@{database_host}/imghost_demo"
                for role, password in passwords.items()
            },
            hosts=(_host_and_port(database_host),),
            networks=database_networks,
        ),
        store=store,
        endpoints={
            "auth": "http://api.imghost-demo.svc:5001",
            "upload": "http://api.imghost-demo.svc:5002",
            "view": "http://imaging.imghost-demo.svc:5003",
            "internal": "http://imaging.imghost-demo.svc:9090",
        },
    )


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if text.endswith(tuple("0123456789")) and ":" in text else (text, "", "")
    return host.strip("[]"), int(port or 5432)


def objects(name: str = "demo", given: BuildInputs | None = None, **spec: Any) -> dict[ObjectRef, Object]:
    """What is built for a tenant, by key."""
    built = tenant_objects.build(name, UID, spec_of(**spec), given or inputs())
    return {item.ref: item.manifest for item in built}


def only(made: dict[ObjectRef, Object], kind: str, name: str) -> Object:
    """The one object of a kind with a name."""
    (found,) = [obj for key, obj in made.items() if (key.kind, key.name) == (kind, name)]
    return found


def given_for(case: str) -> BuildInputs:
    """The surroundings of a golden case."""
    match case:
        case "filesystem":
            return inputs(store=FILES, database_host="127.0.0.1:54321")
        case "external-backends":
            elsewhere = replace(S3, config={**S3.config, "S3_ENDPOINT": "https://s3.example.com"})
            return inputs(store=elsewhere, database_host="pg.example.com", database_networks=("10.20.0.0/16",))
    return inputs()
