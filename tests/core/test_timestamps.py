"""Times as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import BaseModel

from imghost_core.timestamps import PATTERN, UtcDatetime, format_utc


@pytest.mark.requirement("000-W8")
def test_a_time_is_written_in_utc_to_the_millisecond_with_z() -> None:
    """Whatever zone and precision a time has, its text is ISO 8601 in UTC with milliseconds and Z."""
    moment = datetime(2026, 1, 2, 1, 4, 5, 678_999, tzinfo=timezone(timedelta(hours=2)))
    assert format_utc(moment) == "2026-01-01T23:04:05.678Z"
    assert format_utc(datetime(2026, 1, 2, tzinfo=UTC)) == "2026-01-02T00:00:00.000Z"


def test_a_field_is_written_the_same_way() -> None:
    """A model's time field has the same format in JSON."""

    class Model(BaseModel):
        at: UtcDatetime

    assert Model(at=datetime(2026, 1, 2, 3, tzinfo=UTC)).model_dump_json() == '{"at":"2026-01-02T03:00:00.000Z"}'
    described = Model.model_json_schema(mode="serialization")["properties"]["at"]
    assert (described["format"], described["pattern"]) == ("date-time", PATTERN)
