"""An embedded PostgreSQL: a server of our own on 127.0.0.1, with password authentication, kept running."""

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from imghost_local import pginstall, processes
from imghost_local.errors import UserError

SUPERUSER = "imghost_admin"
_READY_WITHIN, _STOP_WITHIN = 60.0, 30.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "password_encryption": "scram-sha-256",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    "min_wal_size": "32MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "log_checkpoints": "off",
    "log_timezone": "UTC",
    "log_line_prefix": "%m ",
}
_NOT_DURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class EmbeddedPostgres:
    """A PostgreSQL whose data is in `folder`, created on first start; only one server may use it.

    As root the server runs as an unprivileged user that owns `folder`, which must therefore be accessible to that user
    (see `pginstall.home`). `durable=False` is for tests: faster, and a power cut loses data.
    """

    def __init__(self, folder: Path, *, port: int | None = None, log: Path | None = None, durable: bool = True) -> None:
        self.folder, self.log = folder, log or folder / "server.log"
        self.port = port or free_port()
        self._data, self._password_file = folder / "data", folder / "password"
        self._settings = _SETTINGS | ({} if durable else _NOT_DURABLE)
        self._account = pginstall.account()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Superuser connection, `postgresql://user:password@127.0.0.1:port/postgres`. Readable after `start`."""
        return f"postgresql://{SUPERUSER}:{self._password_file.read_text()}@127.0.0.1:{self.port}/postgres"

    @property
    def pid(self) -> int | None:
        """The id of the server's main process, while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    async def start(self) -> None:
        """Create the data folder if there is none, start the server and wait until it responds. Raises `UserError` with
        the end of the server's log when it does not.
        """
        if not (self._data / "PG_VERSION").exists():
            await self._create()
        await self._wait_for_predecessor()
        self._launch()
        await self._answering()

    async def stop(self) -> None:
        """Stop it cleanly: sessions are closed, committed data is on disk."""
        if self._process is not None:
            await processes.stop(self._process, number=signal.SIGINT, within=_STOP_WITHIN)

    async def keep_running(self) -> None:
        """Start it again whenever it ends by itself; runs until cancelled."""
        while self._process is not None:
            await processes.wait_for_exit(self._process)
            await asyncio.sleep(0.2)
            self._launch()
            with suppress(UserError):
                await self._answering()

    async def _create(self) -> None:
        self._private_folder()
        argv = [
            str(pginstall.programs() / "initdb"),
            *("--pgdata", str(self._data), "--username", SUPERUSER, "--pwfile", str(self._password_file)),
            *("--auth", "scram-sha-256", "--encoding", "UTF8"),
            *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
        ]
        code = await processes.wait_for_exit(self._spawn(argv))
        if code:
            shutil.rmtree(self._data, ignore_errors=True)
            raise UserError(f"PostgreSQL could not create its data folder {self._data}: {self._last_words()}")

    async def _wait_for_predecessor(self) -> None:
        """Wait for a server that is still shutting down after its `up` was killed."""
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                while _serves(self._data):  # noqa: ASYNC110 - it is no child of ours, there is nothing to wait on
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise UserError(f"Another PostgreSQL still serves {self._data}. End it, then try again.") from None

    def _private_folder(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._password_file.touch(mode=0o600)
        self._password_file.write_text(secrets.token_urlsafe(32))
        if self._account:
            for path in (self.folder, self._password_file):
                os.chown(path, self._account.uid, self._account.gid)

    def _launch(self) -> None:
        major = int((self._data / "PG_VERSION").read_text())
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        argv = [str(pginstall.programs(major) / "postgres"), "-D", str(self._data), "-p", str(self.port), *options]
        self._process = self._spawn(argv)

    def _spawn(self, argv: list[str]) -> subprocess.Popen[bytes]:
        return processes.start(
            argv,
            env={"PATH": os.defpath, "LANG": "C", "TZ": "UTC"},
            cwd=self.folder if self._account is None else Path("/"),
            log=self.log,
            account=self._account,
            death_signal=signal.SIGINT,  # PostgreSQL's fast shutdown
        )

    async def _answering(self) -> None:
        assert self._process is not None  # noqa: S101 - launched just before
        try:
            async with asyncio.timeout(_READY_WITHIN):
                while self._process.poll() is None:
                    with suppress(psycopg.OperationalError):
                        connection = await psycopg.AsyncConnection.connect(self.url, connect_timeout=5)
                        await connection.close()
                        return
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise UserError(f"PostgreSQL did not respond within {_READY_WITHIN:.0f} s: {self._last_words()}") from None
        raise UserError(f"PostgreSQL ended while starting: {self._last_words()}")

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return (lines[-1] if lines else "it wrote no log") + f" (all of it: {self.log})"


def _serves(data: Path) -> bool:
    """Whether the process that a data folder names as its server is one, and not another program with a reused id."""
    try:
        pid = int((data / "postmaster.pid").read_text().split()[0])
        return str(data) in psutil.Process(pid).cmdline()
    except (OSError, ValueError, IndexError, psutil.Error):
        return False


def free_port() -> int:
    """A free port of 127.0.0.1, below the range the kernel takes for outgoing connections."""
    for _ in range(200):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise UserError("No free port between 20000 and 32000 on 127.0.0.1.")
