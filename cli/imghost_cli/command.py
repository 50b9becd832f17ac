"""How the reader calls this program: `imghost`, or its path where that is not in PATH, as after `make up`."""

import re
import shutil
import sys

_MENTION = re.compile(r"\bimghost (?=(?:up|status|logs|down|reset)\b)")


def as_typed(text: str) -> str:
    """A message whose commands, such as `imghost status`, work as they are printed."""
    program = sys.argv[0]
    is_found = program.rpartition("/")[2] != "imghost" or shutil.which("imghost")
    return text if is_found else _MENTION.sub(lambda _: f"{program} ", text)
