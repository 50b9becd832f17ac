"""The code whose tests `make mutants` tests: what keeps one customer from the data or the money of another."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

UNIT: Final = "not services and not node"
WITH_SERVICES: Final = "not node"


@dataclass(frozen=True, slots=True)
class Area:
    """Modules, and the tests that should notice a change of them: files, and expressions over markers and names."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    markers: str = UNIT
    names: str = ""


AREAS: Final[Mapping[str, Area]] = {
    "core": Area(
        (
            "imghost_core/contract/*",
            "imghost_core/disposition.py",
            "imghost_core/filenames.py",
            "imghost_core/ids.py",
            "imghost_core/object_keys.py",
        ),
        ("tests/core",),
    ),
    "imaging": Area(
        (
            "imghost_imaging/http_conditional.py",
            "imghost_imaging/render/limits.py",
            "imghost_imaging/render/sniff.py",
        ),
        (
            "tests/imaging/render/test_limits.py",
            "tests/imaging/render/test_sniff.py",
            "tests/imaging/test_http_conditional.py",
        ),
    ),
    "operator": Area(
        (
            "imghost_operator/admission/*",
            "imghost_operator/provision/credentials.py",
            "imghost_operator/quantity.py",
        ),
        (
            "tests/operator/provision/test_credentials.py",
            "tests/operator/test_admission.py",
            "tests/operator/test_quantity.py",
        ),
        WITH_SERVICES,
        "not random_manifests and not list_of_lines",
    ),
    "permissions": Area(
        ("imghost_api/access/declarations.py", "imghost_api/access/permissions.py"),
        ("tests/api/access/test_permissions.py",),
    ),
    "credentials": Area(
        ("imghost_api/access/credentials.py", "imghost_api/access/errors.py", "imghost_api/access/queries.py"),
        ("tests/api/access/test_credentials.py", "tests/api/access/test_permissions.py", "tests/api/api_keys"),
        WITH_SERVICES,
    ),
    "crypto": Area(("imghost_api/crypto/*",), ("tests/api/crypto",), WITH_SERVICES),
    "idempotency": Area(
        ("imghost_api/idempotency/*",),
        ("tests/api/idempotency", "tests/api/test_features.py"),
        WITH_SERVICES,
        "test_claims or keeps_its_key or deleted_image or periodic_jobs",
    ),
    "isolation": Area(
        ("imghost_api/db/engine.py", "imghost_api/db/grants.py", "imghost_api/db/row_security.py"),
        ("tests/api/db/test_isolation.py",),
        WITH_SERVICES,
    ),
    "plans": Area(
        ("imghost_api/plans/*",),
        ("tests/api/plans/test_quota.py", "tests/api/plans/test_rate_limits.py"),
        WITH_SERVICES,
    ),
}
