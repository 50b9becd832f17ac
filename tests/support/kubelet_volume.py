"""A projected volume as the kubelet writes it: all files of one version change by the renaming of one link."""

from collections.abc import Mapping
from pathlib import Path


class KubeletVolume:
    """A folder of files below a link `..data`, by which one version takes the place of another."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._version = folder, 0
        folder.mkdir()

    def write(self, files: Mapping[str, str]) -> None:
        """Replace all files in one step; the version before is deleted."""
        self._version += 1
        new, old = self.folder / f"..{self._version}", self.folder / f"..{self._version - 1}"
        for name, text in files.items():
            (new / name).parent.mkdir(parents=True, exist_ok=True)
            (new / name).write_text(text)
            top = self.folder / name.split("/", 1)[0]
            if not top.is_symlink():
                top.symlink_to(Path("..data") / top.name)
        link = self.folder / "..data_tmp"
        link.symlink_to(new.name)
        link.rename(self.folder / "..data")
        for path in sorted(old.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
