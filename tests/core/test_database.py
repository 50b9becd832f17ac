import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from imghost_core.database import create_engine, unavailable_when_down
from imghost_core.errors import Unavailable
from imghost_core.settings import DatabaseSettings
from support.postgres import Postgres


def settings(url: str) -> DatabaseSettings:
    return DatabaseSettings.model_validate({"database_url": url, "database_timeout_seconds": 1})


async def test_an_unreachable_database_is_unavailable() -> None:
    """A port without a listener becomes 503 with a time to wait, and no address in the text."""
    engine = create_engine(settings("postgresql://api:secret@127.0.0.1:9/imghost"), application="test")
    with pytest.raises(Unavailable) as caught:
        async with unavailable_when_down(), engine.connect():
            pass
    assert caught.value.retry_after
    assert "127.0.0.1" not in caught.value.detail
    await engine.dispose()


async def test_connections_have_time_outs_and_utc(postgres: Postgres) -> None:
    """Every connection has a statement time-out and counts in UTC, whatever the server's defaults are."""
    engine = create_engine(settings(postgres.admin_url), application="test")
    async with engine.connect() as connection:
        assert (await connection.execute(text("SHOW statement_timeout"))).scalar_one() == "10s"
        assert (await connection.execute(text("SHOW timezone"))).scalar_one() == "UTC"
    await engine.dispose()


async def test_a_broken_constraint_is_not_an_outage(postgres: Postgres) -> None:
    """What the caller did wrong passes through; only an outage becomes 503."""
    engine = create_engine(settings(postgres.admin_url), application="test")
    with pytest.raises(IntegrityError):
        async with unavailable_when_down(), engine.connect() as connection:
            await connection.execute(text("CREATE TEMPORARY TABLE once (id int PRIMARY KEY)"))
            await connection.execute(text("INSERT INTO once VALUES (1), (1)"))
    await engine.dispose()
