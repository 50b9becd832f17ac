"""A second release of the services, under tags that no tenant has seen."""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from imghost_dev.cluster.provider import Provider, Times
from imghost_dev.images import Image, Recipe

SERVICES = ("api", "imaging")
ADDED = "added_by_next_release"
_CONTRACT = Path("services/core/imghost_core/contract/ingest.py")
_FIELDS = (
    "    size: int = Field(gt=0, description=",  # of the request
    "    frames: int = Field(1, gt=0)\n",  # of the response
)


@contextmanager
def another(provider: Provider) -> Iterator[dict[str, str]]:
    """The tags of images with the content of this checkout, which the nodes know, by service."""
    with _images(provider, lambda recipe: recipe) as names:
        yield names


@contextmanager
def with_a_later_contract(provider: Provider) -> Iterator[dict[str, str]]:
    """The same, of a copy of the sources in which both messages between api and imaging have the field `ADDED`."""
    with (
        tempfile.TemporaryDirectory(prefix="imghost-e2e-") as folder,
        _images(provider, lambda recipe: _changed(recipe, Path(folder) / recipe.name)) as names,
    ):
        yield names


@contextmanager
def _images(provider: Provider, change: Callable[[Recipe], Recipe]) -> Iterator[dict[str, str]]:
    """Built and loaded; the builder forgets them at the end."""
    make = provider.images(Times(lambda _: None))
    tag = f"next-{secrets.token_hex(4)}"
    names = {name: f"{make.repository}/{name}:{tag}" for name in SERVICES}
    with tempfile.TemporaryDirectory(prefix="imghost-e2e-") as folder:
        try:
            for name, full_name in names.items():
                make.build(change(make.recipe(name)), full_name)
                archive = Path(folder) / f"{name}.tar"
                make.builder.save(full_name, archive)
                provider.load([Image(name, full_name, archive)])
                archive.unlink()
            yield names
        finally:
            for full_name in names.values():
                make.builder.remove(full_name)


def _changed(recipe: Recipe, context: Path) -> Recipe:
    for path in recipe.content:
        copy = context / path.relative_to(recipe.context)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    (context / "operator").mkdir(exist_ok=True)  # the Dockerfile copies it, for the operator's image
    contract = context / _CONTRACT
    text = contract.read_text()
    for line in _FIELDS:
        assert text.count(line) == 1, f"{_CONTRACT} has no single line {line!r}; name another to add a field before"
        text = text.replace(line, f'    {ADDED}: str = "of the next release"\n{line}')
    contract.write_text(text)
    return replace(recipe, context=context)
