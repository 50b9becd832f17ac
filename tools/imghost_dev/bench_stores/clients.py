"""The clients that are compared, by name. A process loads only the one it opens."""

from collections.abc import Callable

from imghost_core.objects import ObjectStore, open_store
from imghost_core.settings import StoreSettings


def open_minio(settings: StoreSettings) -> ObjectStore:
    """The client that the product had before."""
    from imghost_dev.bench_stores.minio_store import MinioStore  # noqa: PLC0415

    return MinioStore(settings)


CLIENTS: dict[str, Callable[[StoreSettings], ObjectStore]] = {"minio": open_minio, "obstore": open_store}
"""Ratios are those of the second, which is the product's, to the first."""
