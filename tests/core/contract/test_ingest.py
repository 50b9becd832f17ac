"""The contract between api and imaging, read across releases."""

import json
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from imghost_core.contract.ingest import Ingested, IngestRequest

FIXTURES = Path(__file__).parents[2] / "data" / "contract"
MODELS: list[tuple[type[BaseModel], str]] = [(IngestRequest, "ingest-request"), (Ingested, "ingested")]
FILES = [(model, path) for model, name in MODELS for path in sorted(FIXTURES.glob(f"{name}-*.json"))]


@pytest.mark.parametrize(("model", "path"), FILES, ids=[path.name for _, path in FILES])
def test_messages_of_earlier_releases_are_read(model: type[BaseModel], path: Path) -> None:
    """What a release has ever sent is read in full, value by value. Fixtures of releases are added, never edited."""
    sent = json.loads(path.read_text())
    read = model.model_validate_json(path.read_text())
    assert json.loads(read.model_dump_json(include=set(sent))) == sent


@pytest.mark.parametrize(("model", "path"), FILES, ids=[path.name for _, path in FILES])
def test_unknown_fields_of_a_later_release_are_ignored(model: type[BaseModel], path: Path) -> None:
    """A later release may add fields of any shape: they neither fail nor reach the model."""
    sent = json.loads(path.read_text())
    later = model.model_validate({**sent, "added_later": {"nested": [1]}, "also_added": None})
    assert later == model.model_validate(sent)


def test_a_format_of_a_later_release_is_passed_on() -> None:
    """A format that this release does not know is kept as it is, as long as it is safe in a file name and a header."""
    sent = json.loads((FIXTURES / "ingested-0.1.0.json").read_text())
    later = {**sent, "format": "jxl", "mime_type": "image/jxl", "extension": "jxl"}
    assert Ingested.model_validate(later).format == "jxl"
    for unsafe in ("../x", "a/b", "", "JPG", "a" * 40, "x\r\nSet-Cookie: y"):
        with pytest.raises(ValidationError):
            Ingested.model_validate({**sent, "extension": unsafe})


@pytest.mark.parametrize("missing", ["workspace", "image", "sha256", "size"])
def test_a_message_without_a_required_field_is_refused(missing: str) -> None:
    """Tolerance ends where a field is needed: nothing is guessed."""
    sent = json.loads((FIXTURES / "ingest-request-0.1.0.json").read_text())
    with pytest.raises(ValidationError):
        IngestRequest.model_validate({name: value for name, value in sent.items() if name != missing})
