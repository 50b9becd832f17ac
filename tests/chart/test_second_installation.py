"""More than one release of the chart on one cluster."""

from collections.abc import Callable

import pytest

from imghost_dev.chart import CHART, Helm, HelmFailed


def test_a_second_release_is_refused(install: Callable[..., None], remote: Helm) -> None:
    """Two operators would both reconcile every tenant. Helm refuses the second: the CRD belongs to the first."""
    install()
    try:
        with pytest.raises(
            HelmFailed, match=r"imagehosttenants\.imghost\.dev.* cannot be imported into the current release"
        ):
            remote.run("install", "second", CHART)
    finally:
        remote.run("uninstall", "second", "--no-hooks", "--ignore-not-found")
