"""A local installation while it runs: database, platform and the operator's reconciler, around one manifest file."""

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path

from imghost_core import logs
from imghost_local import database, manifests, report, tenant_report
from imghost_local.errors import InvalidInput
from imghost_local.first_users import FirstUsers
from imghost_local.manifest_file import ManifestFile
from imghost_local.objects import Objects
from imghost_local.platform import LocalPlatform
from imghost_local.postgres import EmbeddedPostgres
from imghost_local.release import installed_release
from imghost_local.state import State
from imghost_operator import crd
from imghost_operator.errors import TenantGone
from imghost_operator.platform import Object
from imghost_operator.provision.database import PostgresBackend
from imghost_operator.provision.storage import FilesystemBackend
from imghost_operator.reconcile import Reconciler
from imghost_operator.workqueue import Priority, WorkQueue

_WORKERS = 4


async def run(state: State, manifest: Path, ports: dict[str, int], stop: asyncio.Event) -> None:
    """Run the tenants of `manifest` until `stop`. Raises `UserError`; `InvalidInput` when the manifest is invalid."""
    check(state, manifest)
    state.create()
    with state.lock():
        _log_to(state.logs / "operator.log")
        starting = report.Report(pid=os.getpid(), phase="Reading the manifest", ready=False)
        report.write(state.documents, starting)
        try:
            await Installation(state, manifest, ports).run(stop)
        finally:
            report.write(state.documents, {})


def check(state: State, manifest: Path) -> list[Object]:
    """The tenants of a manifest, validated against those stored here. Raises `InvalidInput`; makes nothing."""
    existing = {key.name: stored for key, stored in Objects(state.documents) if key.kind == crd.KIND}
    return manifests.read(manifest, existing)


class Installation:
    """One `up`. It must hold the lock of its state folder."""

    def __init__(self, state: State, manifest: Path, ports: dict[str, int]) -> None:
        self._state = state
        self._queue = WorkQueue(self._reconcile)
        self._platform = LocalPlatform(
            state.documents, pods=state.pods, logs=state.logs, asked_ports=ports, on_change=self._wake
        )
        self._manifest = ManifestFile(manifest, self._platform.tenants)
        if ports and len(self._manifest.tenants) > 1:
            raise InvalidInput("--ports names the ports of one tenant, and the manifest has several. Leave it out.")
        self._users = FirstUsers(state.documents, self._urls, self._show)
        self._reconciler: Reconciler | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._phase = ""
        self._reconciled: set[str] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`; then stop everything in order, the database last."""
        for name in self._manifest.names:
            self._urls(name)  # opened before anything starts, so that a taken port is reported now
        reporting = asyncio.create_task(report.keep_written(self._state.documents, self._state.logs, self._report))
        log = self._state.logs / "postgres.log"
        try:
            async with database.running(self._state.documents, log, self._show) as self._postgres:
                self._reconciler = self._new_reconciler(self._postgres)
                try:
                    await self._serve(stop, self._postgres, self._reconciler)
                finally:
                    self._show("Stopping")
                    await self._platform.close()
        finally:
            reporting.cancel()

    async def _serve(self, stop: asyncio.Event, postgres: EmbeddedPostgres, reconciler: Reconciler) -> None:
        self._submit()
        self._show("Reconciling")
        work = (
            stop.wait(),
            postgres.keep_running(),
            self._queue.run(_WORKERS),
            self._manifest.watch(self._apply_edit),
            self._users.run(self._ready_tenants),
            *(breaker.watch(self._wake_all) for breaker in reconciler.breakers),
        )
        tasks = [asyncio.create_task(coroutine) for coroutine in work]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    def _new_reconciler(self, postgres: EmbeddedPostgres) -> Reconciler:
        """The operator's own. Whatever database and store a manifest names, the embedded ones are used."""
        specs = [tenant["spec"] for tenant in self._manifest.tenants]
        instances = {spec["database"]["instanceRef"] for spec in specs}
        stores = {spec["storage"]["backendRef"] for spec in specs}
        return Reconciler(
            self._platform,
            {name: PostgresBackend(postgres.url, instance=name) for name in instances},
            {name: FilesystemBackend(self._state.store, name=name) for name in stores},
            installed_release(),
        )

    def _submit(self) -> None:
        """Start the tenants of the manifest, also those that ran before."""
        for tenant in self._manifest.tenants:
            self._platform.resume(tenant["metadata"]["name"])
            self._platform.submit(tenant)

    async def _apply_edit(self, removed: set[str]) -> None:
        for name in removed:
            self._queue.forget(name)
            await self._platform.suspend(name)
        self._submit()

    def _wake(self, tenant: str) -> None:
        if self._reconciler and tenant in self._manifest.names:
            self._queue.add(tenant, Priority.DRIFT)

    def _wake_all(self) -> None:
        for name in self._manifest.names:
            self._wake(name)

    async def _reconcile(self, name: str) -> float | None:
        tenant = self._platform.tenants().get(name)
        if tenant is None or self._reconciler is None:
            return None
        with suppress(TenantGone):
            outcome = await self._reconciler.reconcile(tenant)
            self._reconciled.add(name)
            return outcome.requeue_after
        return None

    def _ready_tenants(self) -> list[str]:
        """Tenants that are Ready now; what the last `up` left in a status counts only after a pass of our own."""
        known = self._platform.tenants()
        reconciled = (name for name in self._manifest.names if name in self._reconciled)
        return [name for name in reconciled if tenant_report.is_ready(known.get(name, {}))]

    def _urls(self, tenant: str) -> dict[str, str]:
        return tenant_report.urls(self._platform, tenant)

    def _show(self, phase: str) -> None:
        self._phase = phase

    def _report(self) -> report.Report:
        known = self._platform.tenants()
        tenants = [
            tenant_report.describe(self._platform, known[name], self._users.known.get(name, {}))
            for name in self._manifest.names
            if name in self._reconciled
        ]
        return report.Report(
            pid=os.getpid(),
            manifest=str(self._manifest.path),
            phase=self._phase,
            problem=self._manifest.problem,
            ready=bool(tenants) and all(tenant["ready"] for tenant in tenants),
            postgres={"pid": self._postgres.pid, "port": self._postgres.port} if self._postgres else {},
            tenants=tenants,
        )


def _log_to(path: Path) -> None:
    logs.configure("operator", level="info", console=False)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(path.open("a"))
