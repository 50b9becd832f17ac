"""Find code that nothing uses: vulture, with its settings in pyproject.toml.

Fields of some classes are read by a framework, by their names: those of requests, responses, rows, tables, the custom
resource and the shared contract; and tables are read by their metadata. Unused fields and tables are left out there,
everything else in these files counts.
"""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from vulture import Vulture
from vulture.config import make_config

FIELDS = re.compile(r"/(events|fields|queries|schemas|tables)\.py$|/(crd|contract|migrations)/")
TABLES = re.compile(r"/tables\.py$")
LEAST_CONFIDENCE = 60


def main(_: Sequence[str]) -> None:
    """Print what is unused and fail when there is something."""
    config = make_config(argv=[])
    vulture = Vulture(ignore_names=config["ignore_names"], ignore_decorators=config["ignore_decorators"])
    vulture.scavenge(config["paths"], exclude=config["exclude"])
    found = [
        item.get_report()
        for item in vulture.get_unused_code(min_confidence=LEAST_CONFIDENCE)
        if not _is_declaration(item.typ, Path(item.filename).as_posix())
    ]
    if found:
        sys.exit(
            "\n".join([*found, f"error: {len(found)} unused; delete them, or see [tool.vulture] in pyproject.toml"])
        )


def _is_declaration(kind: str, path: str) -> bool:
    return bool((kind == "variable" and FIELDS.search(path)) or (kind == "class" and TABLES.search(path)))
