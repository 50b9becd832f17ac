"""The data folder of the embedded database; chosen once, as root may need it outside the state folder."""

from pathlib import Path

from imghost_local import pginstall
from imghost_local.documents import Documents

_NAME = "postgres.json"


def find(documents: Documents) -> Path:
    """The folder that was chosen, or the one that would be."""
    chosen = documents.read(_NAME).get("folder")
    return documents.root / chosen if chosen else pginstall.home(documents.root / "postgres")


def port(documents: Documents) -> int:
    """The port of the last start; 0 before the first."""
    return int(documents.read(_NAME).get("port", 0))


def remember(documents: Documents, folder: Path, port: int) -> None:
    """Store the folder, relative where it can be so that the state folder can be moved, and the port."""
    inside = folder.relative_to(documents.root) if folder.is_relative_to(documents.root) else folder
    documents.write(_NAME, {"folder": str(inside), "port": port})
