"""The request that the api sends to imaging for each upload, and its response.

`POST {IMAGING_URL}/internal/ingest` with `Authorization: Bearer {INTERNAL_TOKEN}` and `X-Request-Id`. 200 carries
`Ingested`; an error is a problem document, of which the api passes `status`, `title`, `code` and `detail` on unchanged.

During an upgrade either side may be one release ahead. So both models ignore unknown fields when they are read, and a
new field needs a default until no supported release omits it. Texts such as `format` are not enumerations here: the
sender may know values that the reader does not, which stores them and passes them on.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

INGEST_PATH = "/internal/ingest"
_TOLERANT = ConfigDict(extra="ignore", frozen=True)
_NAME = r"^[a-z0-9][a-z0-9.+-]{0,31}$"  # safe in a file name, a header and a key


class IngestRequest(BaseModel):
    """A stored original to validate and render; ids and hash give its key (`imghost_core.object_keys.original`)."""

    model_config = _TOLERANT

    workspace: UUID
    image: UUID
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(gt=0, description="Bytes of the original, checked against the store")
    metadata_policy: str | None = Field(
        None, description="Of the workspace: strip, keep or owner; without one, the default of the tenant"
    )


class Ingested(BaseModel):
    """The detected format and size of an original, and the renditions stored for it."""

    model_config = _TOLERANT

    format: str = Field(pattern=_NAME, description="jpeg, png, gif, webp or avif, detected from the content")
    mime_type: str = Field(pattern=r"^image/[a-z0-9.+-]{1,64}$")
    extension: str = Field(pattern=_NAME, description="Of the original, without a dot: jpg, png, gif, webp, avif")
    variant_extension: str = Field(pattern=_NAME, description="Of the mezzanine and the variants: jpg or webp")
    width: int = Field(gt=0)
    height: int = Field(gt=0)
    frames: int = Field(1, gt=0)
    variant_bytes: int = Field(ge=0, description="Size of the mezzanine and all variants together, in bytes")
    delivered_filter: str | None = Field(
        None, pattern=_NAME, description="Filter that removed the metadata; none has when the policy is to keep them"
    )
    delivered_size: int | None = Field(
        None, gt=0, description="Bytes of what the filter left; null when the original had nothing to remove"
    )
