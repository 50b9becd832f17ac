"""One migrated database for all tests of imaging, and the service on it."""

import secrets
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from imghost_api.migrate import migrate
from imghost_api.settings import MigrateSettings
from imghost_core.settings import StoreSettings
from imghost_imaging.render import engine
from support import sample_images
from support.imaging import SECRET, Imaging, ImagingDatabase, Stored, running
from support.postgres import Postgres


@pytest.fixture(scope="module", autouse=True)
def render_engine() -> None:
    """Open every loader for each module: an app that another one started has closed some for the process."""
    engine.start(("jpeg", "png", "gif", "webp", "avif"))


@pytest.fixture(scope="session")
def tenant(postgres: Postgres) -> ImagingDatabase:
    """A database with the real schema and roles, one user and one workspace."""
    name = f"imaging_{secrets.token_hex(4)}"
    roles = {part: f"{name}_{part}" for part in ("owner", "api", "imaging")}
    with psycopg.connect(postgres.admin_url, autocommit=True) as connection:
        for role in roles.values():
            connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), SECRET))
        owner = sql.Identifier(roles["owner"])
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), owner))
    urls = {
        part: f"postgresql://{role}:{SECRET}@{postgres.host}:{postgres.port}/{name}" for part, role in roles.items()
    }
    migrate(
        MigrateSettings(database_url=SecretStr(urls["owner"]), api_role=roles["api"], imaging_role=roles["imaging"]),
        "pre",
    )
    tenant = ImagingDatabase(postgres.url(name), urls["imaging"], uuid.uuid4(), uuid.uuid4())
    tenant.execute(
        "INSERT INTO users (id, first_name, username, email) VALUES (%(id)s, 'Ada', 'ada', 'ada@example.org')",
        {"id": tenant.user},
    )
    tenant.execute(
        "INSERT INTO workspaces (id, name, plan_code) VALUES (%(id)s, 'Ada', (SELECT code FROM plans LIMIT 1))",
        {"id": tenant.workspace},
    )
    return tenant


@pytest.fixture
def storage(tmp_path: Path) -> StoreSettings:
    """A filesystem store of the test's own."""
    return StoreSettings(store_kind="filesystem", store_root=tmp_path / "store")


@pytest.fixture
async def imaging(tenant: ImagingDatabase, storage: StoreSettings) -> AsyncIterator[Imaging]:
    """The service with its default limits."""
    async with running(tenant, storage, concurrency=2) as service:
        yield service


@pytest.fixture
async def photo(imaging: Imaging) -> Stored:
    """An uploaded JPEG, larger than every variant, without metadata: delivered as it was uploaded."""
    return await imaging.upload(sample_images.photo(1900, 1000))
