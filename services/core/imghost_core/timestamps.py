"""Times as text: one format on every route and in every document."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

PATTERN = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$"
"""The pattern that every time in a response matches."""


def format_utc(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond, with a Z; `moment` must have a time zone."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


UtcDatetime = Annotated[
    datetime,
    PlainSerializer(format_utc, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": PATTERN}, mode="serialization"),
]
"""A field that is written by `format_utc`, and described so in OpenAPI."""
