"""Choose the store that the settings describe."""

from imghost_core.objects.base import ObjectStore
from imghost_core.settings import StoreSettings


def open_store(settings: StoreSettings) -> ObjectStore:
    """The store of `settings`; only the library of that store is imported."""
    if settings.store_kind == "filesystem":
        from imghost_core.objects.filesystem import FilesystemStore  # noqa: PLC0415

        assert settings.store_root is not None  # noqa: S101 - StoreSettings refused this already
        return FilesystemStore(settings.store_root)
    from imghost_core.objects.s3 import S3Store  # noqa: PLC0415

    return S3Store(settings)
