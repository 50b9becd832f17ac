"""Requests and responses about the settings of a workspace."""

from pydantic import Field

from imghost_api.http.fields import RequestModel, Resource, ResponseModel
from imghost_core.contract.metadata import MetadataPolicy

_POLICIES = (
    "What happens to location, camera, names and other metadata of originals. strip: they are never delivered. owner: "
    "only GET /api/v1/images/{image_id}/original delivers them. keep: the public gets originals as they were uploaded."
)


class SettingsChange(RequestModel):
    """The settings to store."""

    metadata_policy: MetadataPolicy | None = Field(description=f"{_POLICIES} null: the default of this service.")


class SettingsResource(Resource):
    """The settings of a workspace."""

    metadata_policy: str | None = Field(description=f"{_POLICIES} null: the default of this service.")
    effective_metadata_policy: str = Field(description="The policy that applies")


class SettingsResponse(ResponseModel):
    """The settings."""

    settings: SettingsResource
