"""What happens to the metadata of originals: location, camera, names, texts, embedded previews."""

from typing import Literal, get_args

MetadataPolicy = Literal["strip", "keep", "owner"]
"""`strip`: they are never delivered. `keep`: the original is delivered as uploaded. `owner`: only to its workspace."""
METADATA_POLICIES: tuple[MetadataPolicy, ...] = get_args(MetadataPolicy)


def is_public(policy: str) -> bool:
    """Whether the public gets metadata. A policy of a later release is taken for `strip`."""
    return policy == "keep"


def is_for_owner(policy: str) -> bool:
    """Whether the workspace may download its originals as they were uploaded."""
    return policy in {"keep", "owner"}
