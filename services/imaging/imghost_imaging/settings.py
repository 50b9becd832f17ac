"""Every setting of the imaging process that is its own; the shared ones are in core."""

import os
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, field_validator
from pydantic_settings import NoDecode

from imghost_core.settings import ServerSettings
from imghost_imaging.formats import DEFAULT_FORMATS, Format

_MIB = 1024 * 1024


class ImagingSettings(ServerSettings):
    """What the imaging process accepts and how much of it at once."""

    internal_token: SecretStr = Field(min_length=16, description="Bearer token of /internal/ingest")
    max_input_bytes: PositiveInt = Field(25 * _MIB, description="A larger original is refused")
    max_pixels: PositiveInt = Field(100_000_000, description="Width x height x frames beyond this are refused")
    max_frames: PositiveInt = Field(300, description="An animation of more frames is refused")
    formats: Annotated[tuple[Format, ...], NoDecode] = Field(DEFAULT_FORMATS, description="Comma-separated")
    concurrency: PositiveInt = Field(default_factory=lambda: os.cpu_count() or 1, description="Images at once")
    queue_per_slot: NonNegativeInt = Field(4, description="How many may wait for each of them; beyond it 503")
    slot_wait_seconds: PositiveFloat = Field(10.0, description="How long one may wait for a free slot")
    render_seconds: PositiveFloat = Field(30.0, description="How long work on one image may take")

    @field_validator("formats", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        names = [name.strip() for name in value.split(",")] if isinstance(value, str) else value
        if not names:
            raise ValueError("name at least one format")
        return names
