"""The settings of the imaging process; those it shares with other processes are in core."""

import os
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import NoDecode

from imghost_core.settings import MetadataSettings, ServerSettings
from imghost_imaging.formats import DEFAULT_FORMATS, Format

_MIB = 1024 * 1024
_OWN_MEMORY = 256 * _MIB  # the service under load, the fork server, and originals that are delivered or read


class ImagingSettings(ServerSettings, MetadataSettings):
    """Input limits and concurrency of the imaging process."""

    internal_token: SecretStr = Field(min_length=16, description="Bearer token of /internal/ingest")
    max_input_bytes: PositiveInt = Field(25 * _MIB, description="Larger originals are rejected")
    max_pixels: PositiveInt = Field(
        100_000_000, description="Originals with a larger width x height x frames are rejected"
    )
    max_frames: PositiveInt = Field(300, description="Animations with more frames are rejected")
    formats: Annotated[tuple[Format, ...], NoDecode] = Field(
        DEFAULT_FORMATS, description="Accepted formats, comma-separated"
    )
    keep_copyright: bool = Field(
        default=False, description="Copyright notices in EXIF and PNG text stay when metadata is removed"
    )
    concurrency: PositiveInt = Field(
        default_factory=lambda: os.cpu_count() or 1, description="Images rendered in parallel (slots)"
    )
    memory_limit_bytes: PositiveInt = Field(
        1024 * _MIB, description="Memory limit of the container; what the process itself does not use is for images"
    )
    queue_per_slot: NonNegativeInt = Field(4, description="Requests that may wait per slot; further ones get a 503")
    slot_wait_seconds: PositiveFloat = Field(10.0, description="Longest wait for a slot and for memory, in seconds")
    requests_per_second_per_address: PositiveInt = Field(
        300, description="Requests for images per second from one address; more are a 429, after a burst of ten seconds"
    )
    requests_per_second_in_all: PositiveInt = Field(3_000, description="The same from all addresses, in this process")
    render_seconds: PositiveFloat = Field(30.0, description="Longest work on one image, in seconds")

    @property
    def memory_budget(self) -> int:
        """Bytes for images that are rendered at the same time."""
        return max(self.memory_limit_bytes - _OWN_MEMORY, self.memory_limit_bytes // 4)

    @field_validator("formats", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
        if not names:
            raise ValueError("name at least one format")
        return names
