"""A second release of the services, under tags that no tenant has seen."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imghost_dev.cluster.provider import Provider, Times
from imghost_dev.images import CHECKOUT, Image, Images, Recipe

SERVICES = ("api", "imaging")
ADDED = "added_by_next_release"
_CONTRACT = CHECKOUT / "services/core/imghost_core/contract/ingest.py"
_FIELDS = (
    "    size: int = Field(gt=0, description=",  # of the request
    "    frames: int = Field(1, gt=0)\n",  # of the response
)
# One more layer on a present image. Bytecode there is never compared with its source, so it is made again.
_DOCKERFILE = """
ARG BASE_IMAGE
FROM ${BASE_IMAGE}
USER 0
COPY release /release
RUN if [ -e /release/ingest.py ]; then \\
      path=$(python -c 'from imghost_core.contract import ingest; print(ingest.__file__)') && \\
      cp /release/ingest.py "$path" && python -m compileall -q -f --invalidation-mode unchecked-hash "$path"; \\
    fi
USER 65532:65532
"""


@contextmanager
def another(provider: Provider) -> Iterator[dict[str, str]]:
    """The tags of images with the content of this checkout, which the nodes know, by service."""
    with _images(provider, {}) as names:
        yield names


@contextmanager
def with_a_later_contract(provider: Provider) -> Iterator[dict[str, str]]:
    """The same, where both messages between api and imaging have the field `ADDED`."""
    with _images(provider, {"ingest.py": _later_contract()}) as names:
        yield names


@contextmanager
def _images(provider: Provider, replaced: dict[str, str]) -> Iterator[dict[str, str]]:
    """Built and loaded, with these files in place of those of the same names; the builder forgets them at the end."""
    make = provider.images(Times(lambda _: None))
    tag = f"next-{secrets.token_hex(4)}"
    names = {name: f"{make.repository}/{name}:{tag}" for name in SERVICES}
    with tempfile.TemporaryDirectory(prefix="imghost-e2e-") as folder:
        files = Path(folder) / "release"
        files.mkdir()
        for name, content in {"tag": tag, **replaced}.items():
            (files / name).write_text(content)
        try:
            for name, full_name in names.items():
                make.build(_recipe(make, name, Path(folder)), full_name)
                archive = Path(folder) / f"{name}.tar"
                make.builder.save(full_name, archive)
                provider.load([Image(name, full_name, archive)])
                archive.unlink()
            yield names
        finally:
            for full_name in names.values():
                make.builder.remove(full_name)


def _recipe(make: Images, name: str, folder: Path) -> Recipe:
    base = make.deployable(name).tag
    if not make.builder.has(base):  # only its archive was kept
        make.build(make.recipe(name), base)
    dockerfile = folder / "Dockerfile"
    dockerfile.write_text(_DOCKERFILE)
    return Recipe(name, dockerfile, folder, [], {"BASE_IMAGE": base})


def _later_contract() -> str:
    text = _CONTRACT.read_text()
    for line in _FIELDS:
        assert text.count(line) == 1, f"{_CONTRACT} has no single line {line!r}; name another to add a field before"
        text = text.replace(line, f'    {ADDED}: str = "of the next release"\n{line}')
    return text
