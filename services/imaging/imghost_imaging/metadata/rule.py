"""Which originals are delivered without metadata."""

from dataclasses import dataclass

from imghost_core.contract import metadata as policies
from imghost_imaging.formats import Format
from imghost_imaging.metadata.strip import filter_name, strip


@dataclass(frozen=True, slots=True)
class Stripped:
    """The name of the filter that an original passed, None when the policy is to keep metadata; and what it left.

    `body` is None when the original itself is delivered.
    """

    filter: str | None
    body: bytes | None


@dataclass(frozen=True, slots=True)
class MetadataRule:
    """The policy of the tenant, and whether copyright notices stay."""

    policy: str
    keep_copyright: bool

    def filter_of(self, policy: str | None) -> str | None:
        """The filter of originals of a workspace with this policy, None for the tenant's; None when they pass none."""
        keeps = policies.is_public(policy or self.policy)
        return None if keeps else filter_name(keep_copyright=self.keep_copyright)

    def apply(self, data: bytes, kind: Format, policy: str | None) -> Stripped:
        """What to deliver in place of the original `data`. Raises `MetadataNotRemovable`."""
        name = self.filter_of(policy)
        if name is None:
            return Stripped(None, None)
        body = strip(data, kind, keep_copyright=self.keep_copyright)
        return Stripped(name, None if body == data else body)
