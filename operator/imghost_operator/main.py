"""The operator as a process: settings, the election, then watches, workers, probes of backends, and Kopf."""

import asyncio
import logging
import random
import signal
import sys
import time
from collections.abc import Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from imghost_core import logs
from imghost_core.errors import ImghostError
from imghost_core.settings import load
from imghost_operator import crd, handlers, health, kubeconfig
from imghost_operator.cluster_platform import ClusterPlatform
from imghost_operator.errors import TenantGone
from imghost_operator.informer import Informer
from imghost_operator.kubernetes_client import WATCH_SILENCE_SECONDS, KubernetesClient
from imghost_operator.leader_election import LeaderElector
from imghost_operator.metrics import Metrics
from imghost_operator.mounted_secrets import MountedSecrets, Source
from imghost_operator.provision.circuit_breaker import CircuitBreaker
from imghost_operator.reconcile import Reconciler
from imghost_operator.reflector import Reflector, WatchScope
from imghost_operator.settings import OperatorSettings
from imghost_operator.tenant_store import TenantStore
from imghost_operator.workqueue import Priority, WorkQueue

RESYNC_SECONDS = 36_000.0
_SILENCE_SECONDS = 2 * WATCH_SILENCE_SECONDS

_log = logs.get("imghost.operator")


def run() -> None:
    """Run the operator until SIGTERM; exits with one line when its settings or its cluster are unusable."""
    settings = load(OperatorSettings, program="imghost operator")
    try:
        connection = kubeconfig.load(settings.kubeconfig)
    except ImghostError as error:
        sys.exit(f"imghost operator: {error.detail}")
    logs.configure("operator", level=settings.log_level, console=settings.log_format == "console")
    logging.getLogger("kopf").setLevel(logging.WARNING)
    try:
        asyncio.run(Operator(settings, connection).run())
    except ImghostError as error:
        sys.exit(f"imghost operator: {error.detail}")


class Operator:
    """One operator process: the assembly of all parts."""

    def __init__(self, settings: OperatorSettings, connection: kubeconfig.Connection) -> None:
        self._settings, self._connection, self.metrics = settings, connection, Metrics()
        self._secrets = MountedSecrets(settings, self.metrics)
        self._cluster = KubernetesClient(connection, self.metrics)
        self._election = LeaderElector(
            self._cluster,
            settings.lease_namespace or settings.namespace,
            settings.identity,
            settings.operator_class,
            installation=settings.installation or settings.namespace,
            others_changed=self._wake_all,
        )
        self._cluster.fence = self._election.check
        self._queue = WorkQueue(self._work)
        self._tenants = TenantStore(self._queue.add, self._forget, settings.operator_class)
        scope = WatchScope(crd.KIND, is_managed=False)
        self._tenant_watch = Reflector(self._cluster, scope, self._tenants, self.metrics, lambda: None)
        self._cache = Informer(
            self._cluster,
            lambda name: self._queue.add(name, Priority.DRIFT),
            self.metrics,
            namespaces=settings.namespaces,
            own_namespace=settings.namespace,
        )
        self._reconciler = Reconciler(
            ClusterPlatform(
                self._cluster,
                self._cache,
                self.metrics,
                settings.identity,
                self._tenants.put_local,
                namespace=settings.namespace,
            ),
            {name: instance.backend(name) for name, instance in settings.databases.items()},
            {name: store.backend(name) for name, store in settings.stores.items()},
            settings.release(),
            cluster=settings.cluster_facts(),
            standing_by=lambda: self._election.standing_by,
        )
        self._leads = False
        self._expose()

    async def run(self) -> None:
        """Wait for the lease, then lead until SIGTERM. Raises `NotLeader` when the lease is lost."""
        if current := asyncio.current_task():
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, current.cancel)
        server = await health.serve(
            self._settings.host,
            self._settings.ops_port,
            self.metrics,
            {"watches": self._silent_watches},
            {
                "caches": lambda: "not synced yet" if self._leads and not self._cache.synced.is_set() else None,
                "crd": lambda: f"{crd.KIND} is not served; install the CRD" if self._tenant_watch.is_missing else None,
            },
        )
        try:
            async with self._cluster:
                with suppress(asyncio.CancelledError):
                    await self._election.acquire()
                    await self._lead()
        finally:
            await server.cleanup()

    async def _lead(self) -> None:
        self._leads = True
        self._secrets.refresh(self._use_secret)  # before the first pass, also after hours as a standby
        work: list[Coroutine[Any, Any, None]] = [
            self._election.renew_loop(),
            self._cache.run(),
            self._queue.run(self._settings.workers),
            self._secrets.watch(self._use_secret),
            *(breaker.watch(partial(self._backend_changed, breaker)) for breaker in self._reconciler.breakers),
        ]
        jobs = [asyncio.create_task(each) for each in work]
        try:
            await _until(jobs, self._cache.synced.wait())
            _log.info("caches synced")
            jobs.append(asyncio.create_task(self._tenant_watch.run()))  # a tenant is compared with what exists
            await _until(jobs, handlers.run(self._connection))
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            await self._election.release()

    async def _work(self, name: str) -> float | None:
        tenant = self._tenants.get(name)
        if tenant is None:
            return None
        began, outcome = time.monotonic(), "error"
        try:
            after = (await self._reconciler.reconcile(tenant)).requeue_after
            outcome = "done"
        except TenantGone:
            self._tenants.remove(name, tenant["metadata"]["uid"])
            return None
        except ImghostError:
            raise
        except Exception:
            self.metrics.unexpected_errors.inc()
            raise
        finally:
            self.metrics.reconcile.labels(outcome).observe(time.monotonic() - began)
        return after if after is not None else RESYNC_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load

    def _forget(self, name: str) -> None:
        self._queue.forget(name)
        self._reconciler.forget(name)

    def _backend_changed(self, breaker: CircuitBreaker[Any]) -> None:
        """Reconcile all tenants of a backend that went down or recovered."""
        part, reference = ("database", "instanceRef") if breaker.kind == "database" else ("storage", "backendRef")
        for name in self._tenants.names(lambda body: body.get("spec", {}).get(part, {}).get(reference) == breaker.name):
            self._queue.add(name, Priority.DRIFT)

    def _wake_all(self) -> None:
        for name in self._tenants.names():
            self._queue.add(name, Priority.DRIFT)

    def _use_secret(self, source: Source) -> None:
        """Sign in to a backend, or let tenants pull, with what a mounted Secret has now."""
        if source.kind == "registries":
            self._reconciler.roll_out(self._settings.release())
            self._wake_all()
            return
        configured = self._settings.databases if source.kind == "database" else self._settings.stores
        backend = configured[source.name].backend(source.name)
        for breaker in self._reconciler.breakers:
            if (breaker.kind, breaker.name) == (source.kind, source.name):
                breaker.replace(backend)
                self._backend_changed(breaker)

    def _silent_watches(self) -> str | None:
        if not self._cache.synced.is_set():
            return None
        silent = [kind for kind, age in self._ages().items() if age > _SILENCE_SECONDS]
        return f"no response to the watch of {', '.join(silent)} for {_SILENCE_SECONDS:.0f} s" if silent else None

    def _ages(self) -> dict[str, float]:
        """Seconds since the watch of each kind last returned anything."""
        tenants = {crd.KIND: self._tenant_watch.age} if self._tenant_watch.is_listed else {}
        return self._cache.ages() | tenants

    def _age(self, kind: str) -> float:
        return self._ages().get(kind, 0.0)

    def _expose(self) -> None:
        """Gauges whose value is computed at each scrape."""
        self.metrics.queue_depth.set_function(lambda: self._queue.depth)
        self.metrics.passes_running.set_function(lambda: self._queue.running)
        self.metrics.queue_oldest.set_function(lambda: self._queue.oldest)
        self.metrics.tenants.set_function(lambda: len(self._tenants))
        self.metrics.leader.set_function(lambda: float(self._leads))
        self.metrics.standing_by.set_function(lambda: len(self._election.standing_by))
        for kind in (*self._cache.ages(), crd.KIND):
            self.metrics.watch_age.labels(kind).set_function(partial(self._age, kind))
        for breaker in self._reconciler.breakers:
            down = self.metrics.backend_down.labels(breaker.kind, breaker.name)
            down.set_function(partial(_is_down, breaker))


def _is_down(breaker: CircuitBreaker[Any]) -> float:
    return float(breaker.problem is not None)


async def _until(jobs: list[asyncio.Task[None]], last: Coroutine[Any, Any, object]) -> None:
    """Wait for `last`; raises what a job raised, for a job that ends has failed."""
    waiting = asyncio.ensure_future(last)
    try:
        done, _ = await asyncio.wait([*jobs, waiting], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    for task in done:
        task.result()
