"""The object store: one small protocol, a filesystem and an S3 behind it."""

from imghost_core.objects.base import ObjectInfo, ObjectMissing, ObjectStore
from imghost_core.objects.open import open_store

__all__ = ["ObjectInfo", "ObjectMissing", "ObjectStore", "open_store"]
