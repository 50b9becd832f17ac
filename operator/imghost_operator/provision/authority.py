"""The certificate authority of a backend, as a file that the operator reads once, when it starts."""

import ssl
from pathlib import Path

from imghost_operator.errors import InvalidSettings


def read(file: Path, *, of_what: str) -> str:
    """The certificates in a file; raises `InvalidSettings` when there are none."""
    try:
        text = file.read_text()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (OSError, UnicodeDecodeError, ssl.SSLError, ValueError) as error:
        raise InvalidSettings(
            f"The certificates of {of_what} in {file} cannot be used ({type(error).__name__}). "
            "The file holds certificates in PEM form, each from BEGIN CERTIFICATE to END CERTIFICATE."
        ) from None
    return text
