"""Credentials for registries that the operator is given as files."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from imghost_operator.settings import OperatorSettings

STORES = {"default": {"kind": "filesystem", "root": "/srv"}}


def settings(*files: Path) -> OperatorSettings:
    return OperatorSettings.model_validate(
        {
            "databases": {"default": {"admin_url": "postgresql://a:b@db/postgres"}},
            "stores": STORES,
            "pull_secret_files": files,
        }
    )


def write_json(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_credentials_of_all_files_are_given_to_tenants(tmp_path: Path) -> None:
    """Several Secrets become one; the first that names a registry counts."""
    first = write_json(tmp_path / "first.json", {"auths": {"a.example": {"auth": "1"}}})
    second = write_json(tmp_path / "second.json", {"auths": {"a.example": {"auth": "2"}, "b.example": {"auth": "3"}}})
    found = json.loads(settings(first, second).release().registries)
    assert found == {"auths": {"a.example": {"auth": "1"}, "b.example": {"auth": "3"}}}
    assert settings().release().registries == ""


@pytest.mark.parametrize("content", [["canary"], {"auth": "canary"}, {"auths": "canary"}, "canary"])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, content: object) -> None:
    """What is no Docker configuration is refused at the start, by name and without its content."""
    wrong = write_json(tmp_path / "wrong.json", content)
    with pytest.raises(ValidationError, match=r"wrong\.json is no Docker configuration") as refusal:
        settings(wrong)
    assert "canary" not in str(refusal.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not mounted is named."""
    with pytest.raises(ValidationError, match=r"nowhere\.json cannot be read"):
        settings(tmp_path / "nowhere.json")
