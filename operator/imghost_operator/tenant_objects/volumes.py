"""Files that a workload reads: ConfigMaps and Secrets of others in the tenant's namespace, each below one folder."""

from typing import Any

from imghost_operator.crd.references import VOLUME_PREFIX, Volume
from imghost_operator.crd.workloads import Workload

_FOLDER = "/mnt"
"""The programs look for no code or settings there. The admission policy allows these mounts there only."""


def volumes(workload: Workload) -> list[dict[str, Any]]:
    """The volumes of a pod."""
    return [{"name": VOLUME_PREFIX + each.name, **_source(each)} for each in workload.volumes]


def mounts(workload: Workload) -> list[dict[str, Any]]:
    """Where the container has them."""
    return [
        {"name": VOLUME_PREFIX + each.name, "mountPath": f"{_FOLDER}/{each.name}", "readOnly": True}
        for each in workload.volumes
    ]


def _source(volume: Volume) -> dict[str, Any]:
    return volume.model_dump(mode="json", by_alias=True, exclude_none=True, include={"config_map", "secret"})
