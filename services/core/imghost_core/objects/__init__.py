"""The object store: one protocol, implemented for a filesystem and for S3."""

from imghost_core.objects.base import ObjectInfo, ObjectMissing, ObjectStore
from imghost_core.objects.open import open_store

__all__ = ["ObjectInfo", "ObjectMissing", "ObjectStore", "open_store"]
