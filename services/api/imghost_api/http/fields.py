"""Kinds of values that several requests and answers share."""

import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    PlainSerializer,
    SecretStr,
    StringConstraints,
)

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}  # control, format and separator characters: invisible, and good for forgeries


def _printable(value: str) -> str:
    if any(unicodedata.category(character) in _HIDDEN for character in value):
        raise ValueError("must not contain control or invisible characters")
    return unicodedata.normalize("NFC", value)


def utc(moment: datetime) -> str:
    """ISO 8601 in UTC, to the millisecond, with a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_printable)
]
Username = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,30}[A-Za-z0-9]$",
        description="3 to 32 of A-Z a-z 0-9 . _ -, beginning and ending with a letter or a digit",
        examples=["ada"],
    ),
]
Email = Annotated[EmailStr, AfterValidator(str.lower), Field(max_length=254, examples=["ada@example.org"])]
Password = Annotated[SecretStr, Field(min_length=8, max_length=128, examples=["correct horse battery staple"])]
Moment = Annotated[datetime, PlainSerializer(utc, return_type=str)]


class Body(BaseModel):
    """What a caller sends: fields we do not know are refused, so that a typing mistake is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class Answer(BaseModel):
    """What we answer when it worked."""

    success: Literal[True] = True
