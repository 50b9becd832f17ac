"""Credentials for image registries, from mounted Secrets of the type kubernetes.io/dockerconfigjson."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def validate(file: Path) -> Path:
    """The file; raises ValueError, without quoting it, when it is no Docker configuration with `auths`."""
    try:
        _auths(file)
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error.strerror})") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{file} is no Docker configuration with `auths`") from None
    return file


def merge(files: Iterable[Path]) -> str:
    """One configuration with the credentials of all, empty without any; for the same registry the first one counts."""
    found: dict[str, Any] = {}
    for file in files:
        found = _auths(file) | found
    return json.dumps({"auths": found}, sort_keys=True) if found else ""


def _auths(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text())["auths"].items())
