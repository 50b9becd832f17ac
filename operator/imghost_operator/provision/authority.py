"""The certificate authority of a backend, in a file; the operator keeps what it has read."""

import re
import ssl
from pathlib import Path

from imghost_operator.errors import InvalidSettings

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def read(file: Path, *, of_what: str) -> str:
    """The certificates in a file, nothing else of it, for tenants get them. Raises `InvalidSettings` without any."""
    try:
        text = file.read_text()
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=text)
    except (OSError, UnicodeDecodeError, ssl.SSLError, ValueError) as error:
        raise InvalidSettings(
            f"The certificates of {of_what} in {file} cannot be used ({type(error).__name__}). "
            "The file holds certificates in PEM form, each from BEGIN CERTIFICATE to END CERTIFICATE."
        ) from None
    return "".join(f"{found}\n" for found in _CERTIFICATE.findall(text))
