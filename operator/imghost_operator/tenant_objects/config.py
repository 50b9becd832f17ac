"""ConfigMaps: the environment of api, imaging and worker that is not secret."""

from imghost_operator import quantity
from imghost_operator.build_inputs import BuildInputs
from imghost_operator.crd.spec import Spec
from imghost_operator.platform import Object
from imghost_operator.tenant_contract import DATABASE_CA, HTTP_PORT, OPS_PORT, STORE_CA
from imghost_operator.tenant_objects.meta import Component, Owner

DRAIN_SECONDS = 25
_SPOOLED_FILES = 20  # of the largest size, in the /tmp of an api pod
FOLLOWS_SCALE = frozenset({"UPLOAD_CONCURRENCY"})
"""Settings that follow the number of pods. A change reaches pods that start later, so that scaling replaces none."""
_UPLOADS_PER_SLOT = 3
"""Uploads for each image that imaging processes: one is rendered while another is stored and another waits. Imaging
queues four for each and rejects more; what is left of that are variants that it has to make again."""


AUTHORITIES = "backend-authorities"
"""The ConfigMap with the certificates of the backends' authorities; there only when the operator was given some."""


def authorities(inputs: BuildInputs) -> dict[str, str]:
    """File name → certificates that pods verify the backends with."""
    given = {DATABASE_CA: inputs.database.ca, STORE_CA: inputs.store.ca}
    return {name: text for name, text in given.items() if text}


def authorities_object(owner: Owner, inputs: BuildInputs) -> list[Object]:
    """The ConfigMap with them, if there are any."""
    found = authorities(inputs)
    return [owner.build_object("v1", "ConfigMap", AUTHORITIES, {"data": found})] if found else []


def configs(owner: Owner, spec: Spec, inputs: BuildInputs) -> dict[Component, Object]:
    """The ConfigMap of each server, and of the worker."""
    common, listener = _common(owner, inputs), {"PORT": str(HTTP_PORT)}
    return {
        "api": _config(owner, "api", common | listener | _api(spec, inputs)),
        "imaging": _config(owner, "imaging", common | listener | _imaging(spec)),
        "worker": _config(owner, "worker", common),
    }


def public_urls(spec: Spec, inputs: BuildInputs) -> dict[str, str]:
    """Base URLs that replies are built from: those of the spec, else where the platform serves."""
    urls = spec.urls
    view = urls.view or inputs.endpoints["view"]
    return {
        "AUTH_SERVER_URL": urls.auth or inputs.endpoints["auth"],
        "VIEW_SERVER_URL": view,
        "CDN_BASE_URL": urls.cdn or view,
        **({"FRONTEND_URL": urls.frontend} if urls.frontend else {}),
        **({"ALLOWED_ORIGINS": ",".join(urls.origins)} if urls.origins else {}),
    }


def spool_bytes(spec: Spec) -> int:
    """Disk space of one api pod for uploads that have not ended."""
    return _SPOOLED_FILES * quantity.whole(spec.imaging.limits.max_input_bytes)


def _parallel_uploads(spec: Spec) -> int:
    """Uploads that one api pod passes on at a time: what imaging can take.

    It does not depend on how many api pods there are, or scaling them would replace all of them. Several that are busy
    at the same time fill imaging's queue, which then says so.
    """
    return max(1, spec.imaging.fewest_replicas) * spec.imaging.limits.concurrency * _UPLOADS_PER_SLOT


def _common(owner: Owner, inputs: BuildInputs) -> dict[str, str]:
    return {
        "TENANT": owner.name,
        "OPS_PORT": str(OPS_PORT),
        "SHUTDOWN_GRACE_SECONDS": str(DRAIN_SECONDS),
        **inputs.store.config,
    }


def _api(spec: Spec, inputs: BuildInputs) -> dict[str, str]:
    return {
        **public_urls(spec, inputs),
        "IMAGING_URL": inputs.endpoints["internal"],
        "MAX_UPLOAD_BYTES": str(quantity.whole(spec.imaging.limits.max_input_bytes)),
        "SPOOL_BYTES": str(spool_bytes(spec)),
        "UPLOAD_CONCURRENCY": str(_parallel_uploads(spec)),
        "METADATA_POLICY": spec.imaging.metadata.policy,
    }


def _imaging(spec: Spec) -> dict[str, str]:
    limits = spec.imaging.limits
    return {
        "MAX_INPUT_BYTES": str(quantity.whole(limits.max_input_bytes)),
        "MAX_PIXELS": str(limits.max_pixels),
        "MAX_FRAMES": str(limits.max_frames),
        "FORMATS": ",".join(limits.formats),
        "CONCURRENCY": str(limits.concurrency),
        **_memory_limit(spec),
        "METADATA_POLICY": spec.imaging.metadata.policy,
        "KEEP_COPYRIGHT": str(spec.imaging.metadata.keep_copyright).lower(),
        # Measured: a second arena or thread for each image costs memory and saves no time.
        "MALLOC_ARENA_MAX": "2",
        "VIPS_CONCURRENCY": "1",
        "VIPS_BLOCK_UNTRUSTED": "1",
    }


def _memory_limit(spec: Spec) -> dict[str, str]:
    """Images are decoded within the limit of the container; without one, within the default of the setting."""
    memory = spec.imaging.resources.limits.memory
    return {"MEMORY_LIMIT_BYTES": str(quantity.whole(memory))} if memory else {}


def _config(owner: Owner, name: str, values: dict[str, str]) -> Object:
    return owner.build_object("v1", "ConfigMap", name, {"data": dict(sorted(values.items()))}, component=name)
