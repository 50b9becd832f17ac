"""`python -m imghost_imaging.render FORMATS`: the fork server whose children decode images."""

import sys
from typing import Any, cast

from imghost_imaging.formats import FORMATS, Format
from imghost_imaging.render import engine, pipeline, results
from imghost_imaging.render.limits import Limits
from imghost_imaging.sandbox import fork_server


def render(arguments: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Make the renditions of an original, within `pixels` and `frames`."""
    bounds = Limits(pixels=arguments["pixels"], frames=arguments["frames"])
    return results.to_message(pipeline.render(data, ENABLED, bounds))


def variant(arguments: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Make the variant `name` from a mezzanine of `extension`."""
    return {}, [pipeline.render_variant(data, arguments["name"], arguments["extension"])]


def check() -> dict[str, str]:
    """Check libvips within the sandbox, as its children use it. Raises `UnsafeLibvips`."""
    engine.check(ENABLED)
    return {"libvips": engine.version()}


ENABLED = cast("tuple[Format, ...]", tuple(name for name in FORMATS if name in sys.argv[1].split(",")))
engine.configure(ENABLED)
fork_server.serve({"render": render, "variant": variant}, check)
