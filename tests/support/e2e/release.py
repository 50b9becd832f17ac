"""A second release of the services: what this checkout makes, under tags that no tenant has seen."""

import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imghost_dev.cluster.provider import Provider, Times
from imghost_dev.images import Image

SERVICES = ("api", "imaging")


@contextmanager
def another(provider: Provider) -> Iterator[dict[str, str]]:
    """The tags of its images, which the nodes know, by service; the builder forgets them at the end."""
    make = provider.images(Times(lambda _: None))
    tag = f"next-{secrets.token_hex(4)}"
    names = {name: f"{make.repository}/{name}:{tag}" for name in SERVICES}
    with tempfile.TemporaryDirectory(prefix="imghost-e2e-") as folder:
        try:
            for name, full_name in names.items():
                make.build(make.recipe(name), full_name)
                archive = Path(folder) / f"{name}.tar"
                make.builder.save(full_name, archive)
                provider.load([Image(name, full_name, archive)])
                archive.unlink()
            yield names
        finally:
            for full_name in names.values():
                make.builder.remove(full_name)
