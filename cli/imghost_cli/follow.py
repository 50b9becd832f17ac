"""Read the logs of a state folder, from some point on and as they grow."""

from collections.abc import Iterator
from pathlib import Path

from imghost_cli.lines import Line, parse, source_of


class Follower:
    """All logs below `folder`, or those whose source contains `wanted`. `new` returns the lines since its last call."""

    def __init__(self, folder: Path, wanted: str = "") -> None:
        self._folder, self._wanted, self._offsets = folder, wanted, dict[Path, int]()

    def skip(self) -> None:
        """Skip the lines that exist now."""
        for path in self._files():
            self._offsets[path] = path.stat().st_size

    def last(self, count: int) -> list[Line]:
        """The last `count` lines of each log, in the order of their times; `new` goes on from here."""
        found = [line for path in self._files() for line in self._read(path)[-count:]]
        return sorted(found, key=lambda line: line.time)

    def new(self) -> Iterator[Line]:
        """Whole lines that were written since."""
        for path in self._files():
            yield from self._read(path)

    def _files(self) -> list[Path]:
        files = sorted(self._folder.rglob("*.log"))
        return [path for path in files if self._wanted in source_of(path.relative_to(self._folder))]

    def _read(self, path: Path) -> list[Line]:
        start = self._offsets.get(path, 0)
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) < start:  # it was emptied
                    start = 0
                file.seek(start)
                data = file.read()
        except FileNotFoundError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offsets[path] = start + len(whole)
        source = source_of(path.relative_to(self._folder))
        return [parse(source, raw) for raw in whole.decode(errors="replace").splitlines() if raw.strip()]
