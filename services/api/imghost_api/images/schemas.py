"""Pictures, uploads and quota as callers see them."""

from typing import Literal

from pydantic import BaseModel, Field

from imghost_api.http.fields import Answer, Moment


class Metadata(BaseModel):
    """What the picture is: pixels, bytes of the original, and format by content."""

    width: int
    height: int
    size: int
    format: str


class UploadedImage(BaseModel):
    """A stored picture and where to see it."""

    id: str = Field(description="Public id", examples=["4fGd8sKq0ZxT"])
    filename: str = Field(examples=["4fGd8sKq0ZxT.jpg"])
    url: str
    thumbnail: str
    view_url: str
    metadata: Metadata


class UploadAnswer(Answer):
    """The picture is stored; it is not lost from here on."""

    image: UploadedImage


class ImageView(UploadedImage):
    """A picture in its owner's list."""

    original_name: str
    mime_type: str
    views: int
    is_public: bool
    uploaded_at: Moment


class ImagesAnswer(Answer):
    """One page, newest first. With `has_more`, send `next_cursor` as `cursor` for the next."""

    data: list[ImageView]
    has_more: bool
    next_cursor: str | None


class DeletedAnswer(Answer):
    """The picture is gone."""

    id: str
    message: str


class CountQuota(BaseModel):
    """A limit that counts, and when it starts again."""

    limit: int
    used: int
    remaining: int
    period: Literal["hour", "day"]
    resets_at: Moment


class BytesQuota(BaseModel):
    """A limit in bytes."""

    limit_bytes: int
    used_bytes: int
    remaining_bytes: int


class BandwidthQuota(BytesQuota):
    """Bytes delivered in this month; counted late, by up to some minutes."""

    period: Literal["month"] = "month"
    resets_at: Moment


class Quota(BaseModel):
    """All limits of the plan. Days, hours and months are those of UTC: uploads start again at midnight UTC."""

    plan: str
    timezone: Literal["UTC"] = "UTC"
    max_file_bytes: int
    uploads: CountQuota
    requests: CountQuota
    storage: BytesQuota
    bandwidth: BandwidthQuota


class QuotaAnswer(Answer):
    """Limits, use and what remains."""

    quota: Quota
