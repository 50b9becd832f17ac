"""The environment that the operator gives to processes is the one that their settings read, in both directions."""

import ast
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import AliasChoices
from pydantic_settings import BaseSettings

from imghost_api.settings import ApiSettings, MigrateSettings, WorkerSettings
from imghost_core.settings import DatabaseSettings, StoreSettings
from imghost_imaging.settings import ImagingSettings
from imghost_operator.crd import RESERVED_ENV
from imghost_operator.platform import Object, ObjectRef
from support.tenants import FILES, S3, inputs, objects

SETTINGS: dict[str, tuple[type[BaseSettings], ...]] = {
    "api": (ApiSettings,),
    "imaging": (ImagingSettings, DatabaseSettings, StoreSettings),
    "migrate": (MigrateSettings,),
    "worker": (WorkerSettings,),
}
ROOT = Path(__file__).parents[2]
SOURCES = {
    "api": ("services/api", "services/core"),
    "imaging": ("services/imaging", "services/core"),
    "migrate": ("services/api/imghost_api/db",),
    "worker": ("services/api", "services/core"),
}
FOR_LIBRARIES = {"MALLOC_ARENA_MAX", "VIPS_BLOCK_UNTRUSTED", "VIPS_CONCURRENCY"}
POD_ADDRESS = "10.0.0.9"


def environment(made: dict[ObjectRef, Object], component: str) -> dict[str, str]:
    """The environment of a component's container, put together as the kubelet does."""
    pod = next(
        obj["spec"]["template"]["spec"]
        for key, obj in made.items()
        if key.kind in {"Deployment", "Job"} and obj["spec"]["template"]["spec"]["serviceAccountName"] == component
    )
    (container,) = pod["containers"]
    values: dict[str, str] = {}
    for source in container["envFrom"]:
        values |= config(made, source) if "configMapRef" in source else secret(made, source)
    for variable in container.get("env", []):
        values[variable["name"]] = variable.get("value", POD_ADDRESS if "valueFrom" in variable else "")
    return values


def config(made: dict[ObjectRef, Object], source: dict[str, Any]) -> dict[str, str]:
    return dict(made[ObjectRef("ConfigMap", "imghost-demo", source["configMapRef"]["name"])]["data"])


def secret(made: dict[ObjectRef, Object], source: dict[str, Any]) -> dict[str, str]:
    data = made[ObjectRef("Secret", "imghost-demo", source["secretRef"]["name"])]["data"]
    return {key: b64decode(value).decode() for key, value in data.items()}


def names(settings: type[BaseSettings]) -> dict[str, str]:
    """Every variable that settings accept, with the field it sets."""
    found = {}
    for name, field in settings.model_fields.items():
        alias = field.validation_alias
        choices = map(str, alias.choices) if isinstance(alias, AliasChoices) else [name]
        found |= {choice.upper(): name for choice in choices}
    return found


ALL_URLS = {
    "urls": {
        "frontend": "https://www.example.com",
        "cdn": "https://cdn.example.com",
        "origins": ["https://app.example.com", "http://localhost:3000"],
    }
}
STORES = {
    "s3": S3,
    "s3 of a private authority": replace(S3, config={**S3.config, "S3_CA_FILE": __file__}),  # a file that exists
    "filesystem": FILES,
}
MADE = {name: objects(given=inputs(store=store), **ALL_URLS) for name, store in STORES.items()}


@pytest.mark.parametrize("store", MADE)
@pytest.mark.parametrize("component", SETTINGS)
def test_processes_start_with_what_they_are_given(component: str, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of each process are complete and valid with the operator's environment and nothing else."""
    given = environment(MADE[store], component)
    monkeypatch.setattr("os.environ", given)
    for settings in SETTINGS[component]:
        read = settings()
        if component != "migrate" and "host" in settings.model_fields:
            assert (read.host, read.tenant, read.port) == (POD_ADDRESS, "demo", 8080)  # type: ignore[attr-defined]


def attributes(*folders: str) -> set[str]:
    """Every name that is read as an attribute in the code below these folders."""
    trees = (ast.parse(path.read_text()) for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("store", MADE)
@pytest.mark.parametrize("component", SETTINGS)
def test_every_variable_that_is_set_is_used(component: str, store: str) -> None:
    """Each variable that the operator sets is a setting that the process's code reads, or is for a library in it."""
    read = attributes(*SOURCES[component])
    used = {name for settings in SETTINGS[component] for name, field in names(settings).items() if field in read}
    unused = environment(MADE[store], component).keys() - used
    assert unused <= (FOR_LIBRARIES if component == "imaging" else set())


def test_reserved_names_are_those_the_operator_sets() -> None:
    """What is refused because the operator sets it is exactly what would fight with the operator's value."""
    ours = {name for made in MADE.values() for component in SETTINGS for name in environment(made, component)}
    assert ours == set(RESERVED_ENV)


def test_limits_reach_the_processes() -> None:
    """The limits of the spec are the limits in the settings, in the units that these expect."""
    limits = {"maxPixels": 5, "maxInputBytes": "1.5Mi", "maxFrames": 7, "concurrency": 3, "formats": ["png", "avif"]}
    made = objects(imaging={"limits": limits})
    imaging, api = environment(made, "imaging"), environment(made, "api")
    assert {
        name: imaging[name] for name in ("MAX_PIXELS", "MAX_INPUT_BYTES", "MAX_FRAMES", "CONCURRENCY", "FORMATS")
    } == {
        "MAX_PIXELS": "5",
        "MAX_INPUT_BYTES": "1572864",
        "MAX_FRAMES": "7",
        "CONCURRENCY": "3",
        "FORMATS": "png,avif",
    }
    assert api["MAX_UPLOAD_BYTES"] == imaging["MAX_INPUT_BYTES"]


def test_metadata_and_origins_reach_the_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Policy and copyright of the spec are in the settings of api and imaging, the origins in those of the api."""
    made = objects(given=inputs(store=S3), imaging={"metadata": {"policy": "owner", "keepCopyright": True}}, **ALL_URLS)
    monkeypatch.setattr("os.environ", environment(made, "imaging"))
    imaging = ImagingSettings()
    assert (imaging.metadata_policy, imaging.keep_copyright) == ("owner", True)
    monkeypatch.setattr("os.environ", environment(made, "api"))
    api = ApiSettings()
    assert api.metadata_policy == "owner"
    assert api.browser_origins == ["https://www.example.com", "https://app.example.com", "http://localhost:3000"]
