"""A tenant's PostgreSQL database and roles.

The admin connection only ever opens the maintenance database, so nothing a tenant can define (functions, operators,
schemas) is in reach of its rights. Passwords leave this process as SCRAM verifiers (RFC 5803), never in clear.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

import psycopg
from psycopg import sql

from imghost_operator.build_inputs import Database, Role
from imghost_operator.errors import BackendDown, BackendRefused, Problem
from imghost_operator.provision import database_url
from imghost_operator.provision.backends import Passwords

_Connection = psycopg.AsyncConnection[tuple[object, ...]]

ROLES: tuple[Role, ...] = ("owner", "api", "imaging")
OWNER_CONNECTIONS = 5
_PLAIN_NAME = 46  # longest tenant name that leaves room for `iht_` and `_imaging` in PostgreSQL's 63 bytes, and a hash
_TIMEOUT = 30  # seconds for one statement; making a database copies files
_ALL_SECONDS, _CHECK_SECONDS = 60.0, 8.0  # for all statements of one step, also when a connection dies within one
# A peer that no longer acknowledges is given up after 10 s, in a statement (tcp_user_timeout) and between two.
_TCP = {"tcp_user_timeout": 10_000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
_OF_ADMIN = ("sslcert", "sslkey", "sslpassword", "passfile")  # of the admin URL, they sign in the admin
_IDENTITY = "imghost:"  # how the comment of a tenant's database begins; its identity follows

_LOGIN = sql.SQL("ALTER ROLE {} LOGIN CONNECTION LIMIT {} PASSWORD {}")
_HARMLESS = sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS")

_OPEN_DATABASES = """
    SELECT datname FROM pg_database
    WHERE (datname IN ('postgres', 'template1') OR datname = current_database()) AND pg_has_role(datdba, 'USAGE')
      AND EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0)
"""
_SERVER_ROLES = "SELECT rolname FROM pg_roles WHERE rolcreaterole OR rolname = 'pg_monitor'"


def database_name(tenant: str) -> str:
    """The database of a tenant: no two tenants share one, and it needs no quoting.

    Dashes become underscores, which tenant names cannot contain; a long name is cut and gets a hash, which makes it
    longer than every name that is not cut.
    """
    plain = tenant.replace("-", "_")
    if len(plain) > _PLAIN_NAME:
        plain = f"{plain[: _PLAIN_NAME - 11]}_{hashlib.sha256(tenant.encode()).hexdigest()[:11]}"
    return f"iht_{plain}"


def role_names(tenant: str) -> dict[Role, str]:
    """The roles of a tenant by what they are for."""
    return {role: f"{database_name(tenant)}_{role}" for role in ROLES}


class PostgresBackend:
    """A `DatabaseBackend` on one PostgreSQL server (15 or later).

    `admin_url` is a URL of a role that may create roles and databases; `public_host` is `host[:port]` as the pods
    reach the server, where that differs; `instance` is its name in a tenant's `spec.database.instanceRef`; `networks`
    are the CIDRs that pods find it in, for their NetworkPolicy; `ca_file` has the certificates of its authority.
    """

    def __init__(
        self,
        admin_url: str,
        public_host: str | None = None,
        *,
        instance: str = "default",
        networks: tuple[str, ...] = (),
        ca_file: Path | None = None,
    ) -> None:
        self._server = database_url.parse(admin_url, instance=instance, public_host=public_host, ca_file=ca_file)
        self._admin: dict[str, Any] = {
            "dbname": "postgres",
            **_TCP,
            **self._server.admin,
            "connect_timeout": 5,
            "application_name": "imghost-operator",
        }
        self._instance, self._networks = instance, networks

    def describe(self, tenant: str, passwords: Passwords) -> Database:
        name, roles = database_name(tenant), role_names(tenant)
        urls = {role: self._server.tenant_url(roles[role], passwords[role], name) for role in ROLES}
        return Database(
            instance=self._instance,
            name=name,
            roles=roles,
            urls=urls,
            hosts=self._server.hosts,
            networks=self._networks,
            ca=self._server.ca,
        )

    async def inventory(self) -> dict[str, str]:
        """Identities of all tenants' databases, without those that an earlier release made and gave none."""
        query = r"""
            SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database WHERE datname LIKE 'iht\_%'
        """
        async with self._connection() as connection:
            found = await (await connection.execute(query)).fetchall()
        return {str(name): identity for name, comment in found if (identity := _identity_in(comment))}

    async def ensure(self, tenant: str, passwords: Passwords, connection_limit: int) -> Database:
        limits: dict[Role, int] = {"owner": OWNER_CONNECTIONS, "api": connection_limit, "imaging": connection_limit}
        names, database = role_names(tenant), sql.Identifier(database_name(tenant))
        async with self._connection() as connection:
            await _close_shared_databases(connection)
            for role in ROLES:
                await _ensure_role(connection, names[role], passwords[role], limits[role])
            owner = sql.Identifier(names["owner"])
            await _ensure_database(connection, database_name(tenant), owner)
            most = connection_limit + OWNER_CONNECTIONS
            for statement in (
                sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, owner),
                sql.SQL("ALTER DATABASE {} CONNECTION LIMIT {}").format(database, most),
                sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database),
            ):
                await connection.execute(statement)
            for role in ("api", "imaging"):
                await connection.execute(
                    sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(names[role]))
                )
            identity = await _ensure_identity(connection, database_name(tenant))
        for role in ROLES:
            await self._sign_in(database_name(tenant), names[role], passwords[role])
        return replace(self.describe(tenant, passwords), identity=identity)

    async def _sign_in(self, database: str, role: str, password: str) -> None:
        """Sign in as a role, as its pods will. That all its connections are in use is said after the password fits."""
        settings = {key: value for key, value in self._admin.items() if key not in _OF_ADMIN}
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                connection = await psycopg.AsyncConnection.connect(
                    **{**settings, "dbname": database, "user": role, "password": password}
                )
                await connection.close()
        except TimeoutError as error:
            raise BackendDown(
                f"Database instance '{self._instance}' did not answer a sign-in within {_CHECK_SECONDS:g} s. "
                "Check the server and the network to it; this is tried again."
            ) from error
        except psycopg.OperationalError as error:
            if "too many connections" not in str(error):
                raise BackendRefused(
                    f"Database instance '{self._instance}' does not let the role {role} sign in with its new password. "
                    "Check its pg_hba.conf: tenants' roles sign in with scram-sha-256."
                ) from None

    async def revoke(self, tenant: str) -> None:
        async with self._connection() as connection:
            for name in await _existing_roles(connection, tenant):
                await connection.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(sql.Identifier(name)))
            await _disconnect(connection, database_name(tenant))

    async def drop(self, tenant: str) -> None:
        database = sql.Identifier(database_name(tenant))
        async with self._connection() as connection:
            await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
            for name in role_names(tenant).values():
                await connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))

    async def check(self) -> None:
        async with self._connection(within=_CHECK_SECONDS) as connection:
            await connection.execute("SELECT 1")

    @asynccontextmanager
    async def _connection(self, within: float | None = None) -> AsyncIterator[_Connection]:
        """A connection of its own for each use: provisioning is rare, and an idle admin session is a risk."""
        seconds = within or _ALL_SECONDS
        limit = asyncio.timeout(seconds)
        try:
            async with (
                limit,
                await psycopg.AsyncConnection.connect(
                    **self._admin,
                    autocommit=True,
                    options=f"-c search_path=pg_catalog -c statement_timeout={_TIMEOUT}s",
                ) as connection,
            ):
                yield connection
        except (TimeoutError, psycopg.Error) as error:
            is_late = limit.expired() or isinstance(error, psycopg.errors.QueryCanceled)
            raise self._failure(error, late_after=min(seconds, _TIMEOUT) if is_late else None) from error

    def _failure(self, error: Exception, late_after: float | None) -> Problem:
        """What an exception means; of a statement that was ended at the limit the server reports a cancellation."""
        where = f"Database instance '{self._instance}'"
        if late_after is not None:
            return BackendDown(
                f"{where} did not finish a step within {late_after:g} s. "
                "Check the server, its locks and the network to it; this is tried again."
            )
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | TimeoutError):
            return BackendDown(
                f"{where} does not respond, or refuses the operator's login. "
                "Check the server and the admin URL in the operator's settings; this is tried again."
            )
        return BackendRefused(
            f"{where} refused a step ({type(error).__name__}). "
            "Give the operator's role the rights to create roles and databases."
        )


async def _close_shared_databases(connection: _Connection) -> None:
    """Let no tenant's role into the databases that every server has, which PostgreSQL opens to all roles.

    Those of other operators, and of monitoring, keep their access. Databases of another owner stay as they are.
    """
    for (name,) in await (await connection.execute(_OPEN_DATABASES)).fetchall():
        database = sql.Identifier(str(name))
        for (role,) in await (await connection.execute(_SERVER_ROLES)).fetchall():
            await connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(str(role)))
            )
        await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))


async def _ensure_role(connection: _Connection, name: str, password: str, limit: int) -> None:
    role = sql.Identifier(name)
    if not await _exists(connection, "role", name):
        await connection.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
    verifier = connection.pgconn.encrypt_password(password.encode(), name.encode(), b"scram-sha-256").decode()
    if _is_superuser(connection):
        await connection.execute(_HARMLESS.format(role))  # others can neither give these rights nor take them
    else:
        await connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))  # to end its sessions and own for it
    await connection.execute(_LOGIN.format(role, sql.Literal(limit), sql.Literal(verifier)))
    await connection.execute(sql.SQL("ALTER ROLE {} SET search_path = public").format(role))


async def _ensure_database(connection: _Connection, name: str, owner: sql.Identifier) -> None:
    if not await _exists(connection, "database", name):
        await connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING 'UTF8'").format(
                sql.Identifier(name), owner
            )
        )


async def _ensure_identity(connection: _Connection, name: str) -> str:
    """The identity of a database, in its comment, which a database of the same name that is created later lacks."""
    query = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"
    row = await (await connection.execute(query, (name,))).fetchone()
    if identity := _identity_in(row[0] if row else None):
        return identity
    identity = uuid4().hex
    comment = sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(_IDENTITY + identity))
    await connection.execute(comment)
    return identity


def _identity_in(comment: object) -> str:
    text = str(comment or "")
    return text.removeprefix(_IDENTITY) if text.startswith(_IDENTITY) else ""


def _is_superuser(connection: _Connection) -> bool:
    return connection.info.parameter_status("is_superuser") == "on"


async def _exists(connection: _Connection, what: Literal["role", "database"], name: str) -> bool:
    query = (
        "SELECT FROM pg_roles WHERE rolname = %s" if what == "role" else "SELECT FROM pg_database WHERE datname = %s"
    )
    found = await connection.execute(query, (name,))
    return await found.fetchone() is not None


async def _existing_roles(connection: _Connection, tenant: str) -> list[str]:
    return [name for name in role_names(tenant).values() if await _exists(connection, "role", name)]


async def _disconnect(connection: _Connection, database: str) -> None:
    await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,))
