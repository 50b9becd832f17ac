"""Field types and base classes that the models and parameters of several features share.

Every string that a client can send is `Text` or `SecretText`, or one of the types made of them; a test finds others.
"""

import unicodedata
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, EmailStr, Field, SecretStr
from pydantic import StringConstraints as Constraints

from imghost_core.text import is_text

# Control, format and separator characters: invisible, so usable to imitate another name.
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def require_text(value: object) -> object:
    """Reject a string that is no Unicode text, or that no database stores."""
    if isinstance(value, str) and not is_text(value):
        raise ValueError("must not contain NUL characters or unpaired surrogates")
    return value


def _require_printable(value: str) -> str:
    if any(unicodedata.category(character) in _INVISIBLE for character in value):
        raise ValueError("must not contain control or invisible characters")
    return unicodedata.normalize("NFC", value)


Text = Annotated[str, BeforeValidator(require_text)]
SecretText = Annotated[SecretStr, BeforeValidator(require_text)]
Name = Annotated[
    Text, Constraints(strip_whitespace=True, min_length=1, max_length=100), AfterValidator(_require_printable)
]
Username = Annotated[
    Text,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{1,30}[A-Za-z0-9]$",
        description="3 to 32 of A-Z a-z 0-9 . _ -, beginning and ending with a letter or a digit",
        examples=["ada"],
    ),
]
Email = Annotated[
    EmailStr,
    BeforeValidator(require_text),
    AfterValidator(str.lower),
    Field(max_length=254, examples=["ada@example.org"]),
]
Password = Annotated[SecretText, Field(min_length=8, max_length=128, examples=["correct horse battery staple"])]
ImageId = Annotated[Text, Path(max_length=64, description="Public id")]
KeyId = Annotated[UUID, Path(description="Id of the API key")]


class RequestModel(BaseModel):
    """The body of a request. Unknown fields are rejected, so that a typing mistake is not silently ignored."""

    model_config = ConfigDict(extra="forbid")


class ResponseModel(BaseModel):
    """The body of a successful response."""

    success: Literal[True] = True


class Resource(BaseModel):
    """An object inside a response; `model_validate` makes it from the domain value with the same attributes."""

    model_config = ConfigDict(from_attributes=True)
