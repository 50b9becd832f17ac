"""Print what is installed here as a CycloneDX 1.6 bill of materials: Python distributions and Debian packages.

Run by the Python whose packages are meant. The same content gives the same text: no date, no random number.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from importlib.metadata import distributions
from typing import Any


def python() -> Iterator[dict[str, Any]]:
    """The distributions that this Python can import."""
    for found in distributions():
        name = found.metadata["Name"].lower().replace("_", "-")
        field = "License-Expression"
        licence = found.metadata[field] if field in found.metadata else None  # noqa: SIM401 - the protocol has no get
        yield _component(name, found.version, "pypi", licence)


def debian() -> Iterator[dict[str, Any]]:
    """The packages below Python, where the system is Debian's."""
    if shutil.which("dpkg-query"):
        listed = subprocess.run(
            ["dpkg-query", "--show", "--showformat=${Package} ${Version}\n"], capture_output=True, text=True, check=True
        )
        for name, version in (line.split() for line in listed.stdout.splitlines()):
            yield _component(name, version, "deb/debian", None)


def _component(name: str, version: str, kind: str, licence: str | None) -> dict[str, Any]:
    purl = f"pkg:{kind}/{name}@{version}"
    component = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    return component | ({"licenses": [{"expression": licence}]} if licence else {})


def main(_: Sequence[str] = ()) -> None:
    """Print the document."""
    components = sorted([*python(), *debian()], key=lambda component: component["bom-ref"])
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": components}
    print(json.dumps(document, indent=1))  # noqa: T201 - its output


if __name__ == "__main__":
    main()
