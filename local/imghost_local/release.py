"""The release of the local processes: the installed code, whose schema may change without a new version."""

import hashlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from imghost_operator.build_inputs import Release


def installed_release() -> Release:
    """The release of the installed packages. Another schema is another api image, so that it is migrated to."""
    number = version("imghost")
    api_image = f"imghost-api:{number}-{digest_of(_migrations())}"
    return Release(version=number, api_image=api_image, imaging_image=f"imghost-imaging:{number}")


def digest_of(folder: Path) -> str:
    """Ten hex digits that depend on the names and contents of all Python and SQL files below `folder`."""
    found = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".py", ".sql"}):
        found.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        found.update(path.read_bytes())
    return found.hexdigest()[:10]


def _migrations() -> Path:
    spec = find_spec("imghost_api")
    if spec is None or not spec.submodule_search_locations:
        raise LookupError("the package imghost_api is not installed")
    return Path(spec.submodule_search_locations[0]) / "db" / "migrations"
