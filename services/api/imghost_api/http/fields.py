"""Field types and base classes that the models of several features share."""

import re
import unicodedata
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    EmailStr,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
)

# Control, format and separator characters: invisible, so usable to imitate another name.
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


_NOT_TEXT = re.compile("[\x00\ud800-\udfff]")


def _require_printable(value: str) -> str:
    if any(unicodedata.category(character) in _INVISIBLE for character in value):
        raise ValueError("must not contain control or invisible characters")
    return unicodedata.normalize("NFC", value)


Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_require_printable)
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


class RequestModel(BaseModel):
    """The body of a request. Unknown fields are rejected, so that a typing mistake is not silently ignored."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def require_text(cls, value: object) -> object:
        """Reject strings that are no Unicode text, or that no database stores."""
        if isinstance(value, str) and _NOT_TEXT.search(value):
            raise ValueError("must not contain NUL characters or unpaired surrogates")
        return value


class ResponseModel(BaseModel):
    """The body of a successful response."""

    success: Literal[True] = True


class Resource(BaseModel):
    """An object inside a response; `model_validate` makes it from the domain value with the same attributes."""

    model_config = ConfigDict(from_attributes=True)
