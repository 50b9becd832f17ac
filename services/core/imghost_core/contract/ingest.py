"""The contract between api and imaging: api stores an original and asks imaging to judge it and make its variants.

`POST {IMAGING_URL}/internal/ingest` with `Authorization: Bearer {INTERNAL_TOKEN}` and `X-Request-Id`. 200 carries
`Ingested`; a refusal is a problem document whose `status`, `code` and `detail` api passes on to its caller unchanged.
"""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

INGEST_PATH = "/internal/ingest"


class IngestRequest(BaseModel):
    """Which original to judge. Its key follows from the three ids (`imghost_core.object_keys.original`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workspace: UUID
    image: UUID
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    size: int = Field(gt=0, description="Bytes of the original, checked against the store")


class Ingested(BaseModel):
    """What the bytes really are, and what was made from them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: str = Field(description="jpeg, png, gif, webp or avif: from the content, never from a header")
    mime_type: str
    extension: str = Field(description="Of the original, without a dot: jpg, png, gif, webp, avif")
    variant_extension: str = Field(description="Of the mezzanine and the variants: jpg or webp")
    width: int
    height: int
    frames: int = 1
    variant_bytes: int = Field(description="Bytes of the mezzanine and all variants together")
