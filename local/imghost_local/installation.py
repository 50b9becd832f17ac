"""A local installation while it runs: database, platform and the operator's reconciler, around one manifest file."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from imghost_core import logs
from imghost_local import demo, manifests, report, views
from imghost_local.addresses import bindable
from imghost_local.errors import InvalidInput, UserError
from imghost_local.objects import Objects
from imghost_local.platform import LocalPlatform
from imghost_local.postgres import EmbeddedPostgres, free_port
from imghost_local.state import State
from imghost_operator import crd
from imghost_operator.build_inputs import Release
from imghost_operator.errors import TenantGone
from imghost_operator.platform import Object
from imghost_operator.provision.database import PostgresBackend
from imghost_operator.provision.storage import FilesystemBackend
from imghost_operator.reconcile import Reconciler
from imghost_operator.workqueue import Priority, WorkQueue

_LOOK, _RETRY = 0.25, 3.0
_MAX_LOG_BYTES = 20 * 1024 * 1024
_log = logs.get("imghost.local")


async def run(state: State, manifest: Path, ports: dict[str, int], stop: asyncio.Event) -> None:
    """Run what `manifest` says until `stop`. Raises `UserError`; `InvalidInput` when it is the manifest's fault."""
    check(state, manifest)
    state.create()
    with state.lock():
        _log_to(state.logs / "operator.log")
        state.write(report.NAME, dict(report.Report(pid=os.getpid(), phase="Reading the manifest", ready=False)))
        installation = Installation(state, manifest, ports)
        try:
            await installation.run(stop)
        finally:
            state.write(report.NAME, {})


def check(state: State, manifest: Path) -> list[Object]:
    """The tenants of a manifest, judged against those stored here. Raises `InvalidInput`; makes nothing."""
    existing = {key.name: stored for key, stored in Objects(state) if key.kind == crd.KIND}
    return manifests.read(manifest, existing)


class Installation:
    """One `up`. It must hold the lock of its state folder."""

    def __init__(self, state: State, manifest: Path, ports: dict[str, int]) -> None:
        self._state, self._manifest = state, manifest
        self._queue = WorkQueue(self._pass)
        self._platform = LocalPlatform(state, asked_ports=ports, woken=self._woken)
        self._wanted = manifests.read(manifest, self._platform.tenants())
        if ports and len(self._wanted) > 1:
            raise InvalidInput("--ports names the ports of one tenant, and the manifest has several. Leave it out.")
        self._reconciler: Reconciler | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._phase, self._problem = "", ""
        self._looked_at: set[str] = set()
        self._demos: dict[str, dict[str, Any]] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; end everything in order, the database last."""
        for name in self._names():
            views.urls(self._platform, name)  # taken before anything starts, so that a port asked for is there or told
        reporting = asyncio.create_task(self._report_for_ever())
        try:
            async with self._database() as postgres:
                self._reconciler = self._new_reconciler(postgres)
                try:
                    await self._serve(stop, postgres, self._reconciler)
                finally:
                    self._phase = "Stopping"
                    await self._platform.close()
        finally:
            reporting.cancel()

    async def _serve(self, stop: asyncio.Event, postgres: EmbeddedPostgres, reconciler: Reconciler) -> None:
        for tenant in self._wanted:
            self._platform.resume(tenant["metadata"]["name"])
            self._platform.submit(tenant)
        self._phase = "Reconciling"
        work = (
            postgres.keep_running(),
            self._queue.run(4),
            self._watch_manifest(),
            self._greet_for_ever(),
            *(breaker.watch(self._wake_all) for breaker in reconciler.breakers),
        )
        tasks = [asyncio.create_task(it) for it in (*work, stop.wait())]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    @asynccontextmanager
    async def _database(self) -> AsyncIterator[EmbeddedPostgres]:
        remembered = self._state.read("postgres.json")
        folder = self._state.postgres_folder()
        self._phase = "Starting PostgreSQL" if folder.exists() else "Creating a PostgreSQL database"
        if not folder.is_relative_to(self._state.root):
            self._phase += (
                f" in {folder}, for it does not run as root and others cannot enter {self._state.root.parent}"
            )
        port = remembered.get("port", 0)
        if not bindable("127.0.0.1", port):
            port = free_port()  # connections are told anew: passwords stay, the Secrets' addresses change
        self._postgres = EmbeddedPostgres(folder, port=port, log=self._state.logs / "postgres.log")
        self._state.remember_postgres(folder, self._postgres.port)
        await self._postgres.start()
        try:
            yield self._postgres
        finally:
            await self._postgres.stop()

    def _new_reconciler(self, postgres: EmbeddedPostgres) -> Reconciler:
        """The operator's own. Whatever a manifest calls its database and its store, here they are the embedded ones."""
        specs = [tenant["spec"] for tenant in self._wanted]
        instances, stores = ({spec[part][ref] for spec in specs} for part, ref in _REFERENCES)
        release = version("imghost")
        return Reconciler(
            self._platform,
            {name: PostgresBackend(postgres.url, instance=name) for name in instances},
            {name: FilesystemBackend(self._state.store, name=name) for name in stores},
            Release(version=release, api_image=f"imghost-api:{release}", imaging_image=f"imghost-imaging:{release}"),
        )

    # The operator's part.

    def _woken(self, tenant: str) -> None:
        if self._reconciler and tenant in self._names():
            self._queue.add(tenant, Priority.DRIFT)

    def _wake_all(self) -> None:
        for name in self._names():
            self._woken(name)

    async def _pass(self, name: str) -> float | None:
        tenant = self._platform.tenants().get(name)
        if tenant is None or self._reconciler is None:
            return None
        with suppress(TenantGone):
            outcome = await self._reconciler.reconcile(tenant)
            self._looked_at.add(name)
            return outcome.requeue_after
        return None

    def _is_ready(self, name: str) -> bool:
        """Whether it is Ready now; what the last `up` left in its status counts only after a look of our own."""
        return name in self._looked_at and views.is_ready(self._platform.tenants().get(name, {}))

    def _names(self) -> list[str]:
        return [tenant["metadata"]["name"] for tenant in self._wanted]

    # The manifest.

    async def _watch_manifest(self) -> None:
        seen = _fingerprint(self._manifest)
        while True:
            await asyncio.sleep(_LOOK)
            if (now := _fingerprint(self._manifest)) != seen:
                seen = now
                await self._edited()

    async def _edited(self) -> None:
        try:
            wanted = manifests.read(self._manifest, self._platform.tenants())
        except InvalidInput as refusal:
            self._problem = str(refusal)
            _log.error("the edit was refused, everything stays as it was", detail=str(refusal))
            return
        removed = set(self._names()) - {tenant["metadata"]["name"] for tenant in wanted}
        self._wanted, self._problem = wanted, ""
        _log.info("the manifest was edited", tenants=self._names())
        for name in removed:
            self._queue.forget(name)
            await self._platform.rest(name)
        for tenant in wanted:
            self._platform.resume(tenant["metadata"]["name"])
            self._platform.submit(tenant)

    # The first user of each tenant.

    async def _greet_for_ever(self) -> None:
        while True:
            for name in self._names():
                if name not in self._demos and self._is_ready(name):
                    await self._greet(name)
            await asyncio.sleep(_LOOK)

    async def _greet(self, name: str) -> None:
        self._phase = f"Uploading a first picture to {name}"
        try:
            self._demos[name] = await demo.ensure(self._state, name, views.urls(self._platform, name))
        except UserError as error:
            _log.warning("no first picture yet", tenant=name, detail=str(error))
            self._phase = str(error)
            await asyncio.sleep(_RETRY)
        else:
            self._phase = "Running"

    # What others see.

    async def _report_for_ever(self) -> None:
        before: report.Report = {}
        while True:
            if (now := self._report()) != before:
                self._state.write(report.NAME, dict(now))
                before = now
            _trim(self._state.logs.rglob("*.log"))
            await asyncio.sleep(_LOOK)

    def _report(self) -> report.Report:
        known = self._platform.tenants()
        running = [known[name] for name in self._names() if name in self._looked_at]
        tenants = [views.describe(self._platform, it, self._demos.get(it["metadata"]["name"], {})) for it in running]
        postgres = {"pid": self._postgres.pid, "port": self._postgres.port} if self._postgres else {}
        return report.Report(
            pid=os.getpid(),
            manifest=str(self._manifest),
            phase=self._phase,
            problem=self._problem,
            ready=bool(tenants) and all(tenant["ready"] for tenant in tenants),
            postgres=postgres,
            tenants=tenants,
        )


_REFERENCES = (("database", "instanceRef"), ("storage", "backendRef"))


def _fingerprint(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_size, found.st_ino)


def _trim(files: Iterable[Path]) -> None:
    """Empty logs that have grown too large; their writers go on at the beginning, for they append."""
    for path in files:
        with suppress(FileNotFoundError):
            if path.stat().st_size > _MAX_LOG_BYTES:
                path.open("w").close()


def _log_to(path: Path) -> None:
    logs.configure("operator", level="info", console=False)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(path.open("a"))
