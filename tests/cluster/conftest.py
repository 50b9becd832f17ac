"""A node of their own for the tests of the node itself, next to whichever one `make cluster` runs."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from imghost_dev.cluster.kubectl import Kubectl
from imghost_dev.cluster.local.layout import Layout
from imghost_dev.cluster.local.provider import Local
from imghost_dev.cluster.provider import Times
from imghost_dev.images import Image

PREPARED_SECONDS = 600  # of the first test: packages, images and the node itself are made for it


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs a node, which takes longer than `make test` should."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.node)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(PREPARED_SECONDS))


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """A running node, removed after the last test."""
    provider = Local(Layout(secrets.token_hex(3), tmp_path_factory.mktemp("node") / "state"))
    try:
        provider.up(Times())
        yield provider
    finally:
        provider.down()


@pytest.fixture(scope="session")
def kubectl(node: Local) -> Kubectl:
    """An administrator of that node."""
    return Kubectl(node.kubeconfig)


@pytest.fixture(scope="session")
def image(node: Local) -> Image:
    """An image with a shell and Python, on the node."""
    image = node.images(Times()).by_name("postgres")
    node.load([image])
    return image
