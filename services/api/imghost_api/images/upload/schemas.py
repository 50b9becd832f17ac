"""Responses of upload and quota."""

from typing import Literal

from imghost_api.http.fields import Resource, ResponseModel
from imghost_api.images.schemas import UploadedImageResource
from imghost_core.timestamps import UtcDatetime


class UploadResponse(ResponseModel):
    """The image is stored durably."""

    image: UploadedImageResource


class CountQuota(Resource):
    """A limit that counts, and when the count restarts."""

    limit: int
    used: int
    remaining: int
    period: Literal["hour", "day"]
    resets_at: UtcDatetime


class BytesQuota(Resource):
    """A limit in bytes."""

    limit_bytes: int
    used_bytes: int
    remaining_bytes: int


class BandwidthQuota(BytesQuota):
    """Bytes delivered in this month; counted with a delay of up to some minutes."""

    period: Literal["month"] = "month"
    resets_at: UtcDatetime


class Quota(Resource):
    """All limits of the plan. Days, hours and months are those of UTC: the upload count restarts at midnight UTC."""

    plan: str
    timezone: Literal["UTC"] = "UTC"
    max_file_bytes: int
    uploads: CountQuota
    requests: CountQuota
    storage: BytesQuota
    bandwidth: BandwidthQuota


class QuotaResponse(ResponseModel):
    """Limits, usage and what remains."""

    quota: Quota
