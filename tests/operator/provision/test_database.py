"""The PostgreSQL backend on a real server."""

import secrets
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql

from imghost_operator.errors import BackendRefused
from imghost_operator.provision import database
from imghost_operator.provision.database import PostgresBackend, database_name, role_names
from support.databases import PASSWORDS, connect, scalar
from support.postgres import Postgres


async def test_each_role_connects_to_its_own_database_only(backend: PostgresBackend, tenant: str) -> None:
    """A tenant's roles reach their database, neither another tenant's nor those that every server has."""
    other = f"{tenant}-other"
    mine = await backend.ensure(tenant, PASSWORDS, 20)
    try:
        theirs = await backend.ensure(other, PASSWORDS, 20)
        for role, url in mine.urls.items():
            assert await scalar(url, "SELECT current_user") == mine.roles[role]
            for name in (theirs.name, "postgres", "template1"):
                with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                    await connect(f"{url.rpartition('/')[0]}/{name}")
    finally:
        await backend.drop(other)


async def test_roles_have_no_rights_on_the_server(backend: PostgresBackend, tenant: str) -> None:
    """No tenant role is a superuser, makes roles or databases, replicates, or passes row-level security by."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    for role, url in made.urls.items():
        query = (
            "SELECT array[rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls] "
            "FROM pg_roles WHERE rolname = current_user"
        )
        assert await scalar(url, query) == [False] * 5, role


async def test_only_the_owner_changes_the_schema(backend: PostgresBackend, tenant: str) -> None:
    """The api and imaging roles cannot create anything, not even a temporary table."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    async with await connect(made.urls["owner"]) as owner:
        await owner.execute("CREATE TABLE kept (id int)")
    for role in ("api", "imaging"):
        async with await connect(made.urls[role]) as connection:
            for statement in ("CREATE TABLE mine (id int)", "CREATE TEMP TABLE mine (id int)", "CREATE SCHEMA mine"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    await connection.execute(statement)
            assert await scalar(made.urls[role], "SHOW search_path") == "public"


async def test_ensure_again_keeps_data_and_takes_the_new_password(backend: PostgresBackend, tenant: str) -> None:
    """Provisioning twice is harmless; with another password the old one no longer works."""
    before = await backend.ensure(tenant, PASSWORDS, 20)
    async with await connect(before.urls["owner"]) as owner:
        await owner.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    after = await backend.ensure(tenant, PASSWORDS | {"owner": "another-" + secrets.token_urlsafe(24)}, 20)
    assert await scalar(after.urls["owner"], "SELECT answer FROM kept") == 42
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        await connect(before.urls["owner"])


async def test_a_role_that_changed_its_password_gets_it_back(backend: PostgresBackend, tenant: str) -> None:
    """PostgreSQL lets every role change its own password; the next verification sets it as the Secret has it."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    async with await connect(made.urls["imaging"]) as intruder:
        await intruder.execute("ALTER ROLE CURRENT_USER PASSWORD 'mine now'")
        for other in ("api", "owner"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await intruder.execute(
                    sql.SQL("ALTER ROLE {} PASSWORD 'mine'").format(sql.Identifier(made.roles[other]))  # type: ignore[index]
                )
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await connect(made.urls["imaging"])
        await backend.ensure(tenant, PASSWORDS, 20)
    assert await scalar(made.urls["imaging"], "SELECT 1") == 1


async def test_passwords_never_reach_the_server_in_clear(
    backend: PostgresBackend, postgres: Postgres, tenant: str
) -> None:
    """What the server receives, and so what it may log, holds SCRAM verifiers instead of passwords."""
    admin = postgres.admin_url
    async with await connect(admin) as connection:
        await connection.execute("ALTER SYSTEM SET log_statement = 'all'")
        await connection.execute("SELECT pg_reload_conf()")
    try:
        await backend.ensure(tenant, PASSWORDS, 20)
    finally:
        async with await connect(admin) as connection:
            await connection.execute("ALTER SYSTEM RESET log_statement")
            await connection.execute("SELECT pg_reload_conf()")
    query = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
    for role, name in role_names(tenant).items():
        stored = str(await scalar(admin, query, name))
        assert stored.startswith("SCRAM-SHA-256$")
        assert PASSWORDS[role] not in stored
    log = postgres.log.read_text(errors="replace")
    assert "ALTER ROLE" in log
    assert not [role for role, password in PASSWORDS.items() if password in log]


async def test_nothing_that_a_tenant_defines_runs_with_the_operators_rights(
    backend: PostgresBackend, postgres: Postgres, tenant: str
) -> None:
    """Traps in a tenant's schema (a login-time function by an operator of its own) are never called by the admin."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    async with await connect(made.urls["owner"]) as owner:
        await owner.execute("CREATE TABLE caught (who text)")
        await owner.execute(
            "CREATE FUNCTION public.trap(name, text) RETURNS boolean LANGUAGE plpgsql AS "
            "$$ BEGIN INSERT INTO public.caught VALUES (current_user); RETURN true; END $$"
        )
        await owner.execute("CREATE OPERATOR public.= (LEFTARG = name, RIGHTARG = text, FUNCTION = public.trap)")
    await backend.ensure(tenant, PASSWORDS, 20)
    await backend.revoke(tenant)
    assert await scalar(postgres.url(made.name), "SELECT count(*) FROM public.caught") == 0


async def test_revoke_cuts_and_locks_out_but_keeps_the_data(backend: PostgresBackend, tenant: str) -> None:
    """After revoke no role gets in, open sessions end, and a later ensure finds the rows again."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    session = await connect(made.urls["owner"])
    await session.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    await backend.revoke(tenant)
    with pytest.raises(psycopg.OperationalError):
        await session.execute("SELECT 1")
    for url in made.urls.values():
        with pytest.raises(psycopg.OperationalError):
            await connect(url)
    await session.close()
    again = await backend.ensure(tenant, PASSWORDS, 20)
    assert await scalar(again.urls["owner"], "SELECT answer FROM kept") == 42


async def test_drop_ends_open_sessions_and_leaves_nothing(
    backend: PostgresBackend, postgres: Postgres, tenant: str
) -> None:
    """Dropping works while a client is connected, twice in a row, and leaves neither database nor roles."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    session = await connect(made.urls["api"])
    await backend.drop(tenant)
    await backend.drop(tenant)
    with pytest.raises(psycopg.OperationalError):
        await session.execute("SELECT 1")
    await session.close()
    await backend.revoke(tenant)
    left = "SELECT (SELECT count(*) FROM pg_database WHERE datname = %s) + "
    left += "(SELECT count(*) FROM pg_roles WHERE rolname LIKE %s)"
    assert await scalar(postgres.admin_url, left, made.name, f"{made.name}%") == 0


async def test_an_admin_that_is_no_superuser_is_enough(postgres: Postgres, tenant: str) -> None:
    """CREATEDB, CREATEROLE and CONNECT to the database in its URL are all the rights the operator needs."""
    name, password = f"admin_{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    role = sql.Identifier(name)
    async with await connect(postgres.admin_url) as root:
        await root.execute(
            sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE PASSWORD {}").format(role, sql.Literal(password))
        )
        await root.execute(sql.SQL("GRANT CONNECT ON DATABASE postgres TO {}").format(role))
    backend = PostgresBackend(f"postgresql://{name}:{password}@{postgres.host}:{postgres.port}/postgres")
    try:
        made = await backend.ensure(tenant, PASSWORDS, 20)
        assert await scalar(made.urls["owner"], "SELECT 1") == 1
        await backend.ensure(tenant, PASSWORDS, 20)
        await backend.revoke(tenant)
        await backend.drop(tenant)
    finally:
        async with await connect(postgres.admin_url) as root:
            await root.execute(sql.SQL("DROP OWNED BY {}").format(role))
            await root.execute(sql.SQL("DROP ROLE {}").format(role))


async def test_a_role_without_rights_is_refused_with_advice(backend: PostgresBackend, tenant: str) -> None:
    """An admin URL with too few rights says so, without the statement or a password in the text."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    weak = PostgresBackend(made.urls["api"])
    with pytest.raises(BackendRefused, match="rights to create roles") as refused:
        await weak.ensure(f"{tenant}-x", PASSWORDS, 20)
    assert not [password for password in PASSWORDS.values() if password in refused.value.detail]


async def test_new_credentials_are_tried_before_anything_relies_on_them(
    backend: PostgresBackend, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not let a role sign in is a refusal with its name, without the password."""
    made = await backend.ensure(tenant, PASSWORDS, 20)
    assert made.identity == (await backend.inventory())[made.name]

    async def other_password(connection: object, name: str, password: str, limit: int) -> None:
        """As when the server takes its roles from elsewhere."""

    monkeypatch.setattr(database, "_ensure_role", other_password)
    with pytest.raises(BackendRefused, match=made.roles["owner"]) as refused:
        await backend.ensure(tenant, dict.fromkeys(PASSWORDS, "canary-password-that-is-new"), 20)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize("name", ["a", "a-b", "a--b", "x" * 46, "x" * 47, "x" * 55, "9"])
def test_names_fit_postgresql(name: str) -> None:
    """Every name is short enough and needs no quoting after its prefix."""
    for made in (database_name(name), *role_names(name).values()):
        assert len(made) <= 63
        assert made.replace("_", "").isalnum()
        assert made.startswith("iht_")


def test_long_names_do_not_collide() -> None:
    """Names that differ only after the cut, or that imitate a cut name, get databases of their own."""
    long = "x" * 55
    cut = database_name(long).removeprefix("iht_").replace("_", "-")
    assert len({database_name(name) for name in (long, "x" * 54, "x" * 56, cut, "a-owner", "a")}) == 6


def test_a_tenant_url_carries_the_tls_mode_and_the_public_host() -> None:
    """Pods connect to the public host with the TLS mode that the operator itself was given."""
    backend = PostgresBackend("postgresql://root:secret@internal:5432/postgres?sslmode=require", "db.example.com:6432")
    url = urlsplit(backend.describe("demo", PASSWORDS).urls["api"])
    assert (url.hostname, url.port, url.path, url.query) == ("db.example.com", 6432, "/iht_demo", "sslmode=require")
    assert "secret" not in repr(backend.describe("demo", PASSWORDS))
