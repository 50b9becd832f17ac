"""Run the jobs of a worker process."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Final

from procrastinate import App, PsycopgConnector, RetryStrategy

from imghost_api.db.engine import Database
from imghost_api.db.system import all_workspaces
from imghost_api.jobs import queries
from imghost_api.jobs.job import REQUEST_ID, JobHandler, PeriodicJob, Queue
from imghost_api.metrics import JobMetrics
from imghost_core import logs
from imghost_core.errors import ImghostError
from imghost_core.settings import DatabaseSettings

ATTEMPTS: Final = 10
_RESTART_SECONDS: Final = 5.0
_RECOVER_SECONDS: Final = 15.0
_FETCH_SECONDS: Final = 5.0
_CANCEL_SECONDS: Final = 1.0
_CANCELS: Final = 3
_SILENCE: Final = timedelta(seconds=60)
_UNKNOWN_PAUSE: Final = timedelta(seconds=30)
_KEPT: Final = timedelta(days=14)
_log = logs.get("imghost.jobs")


class JobRunner:
    """Runs every queue with slots of its own, and the periodic jobs."""

    def __init__(
        self,
        settings: DatabaseSettings,
        database: Database,
        metrics: JobMetrics,
        *,
        concurrency: dict[Queue, int],
        handlers: Sequence[JobHandler],
        periodic: Sequence[PeriodicJob],
    ) -> None:
        self._database, self._metrics, self._concurrency = database, metrics, concurrency
        self._known = [handler.job.name for handler in handlers]
        self._stopping = False
        self._app = App(connector=_connector(settings, slots=sum(concurrency.values())))
        for handler in handlers:
            self._register(handler)
        for job in periodic:
            self._schedule(job)

    @asynccontextmanager
    async def running(self, *, grace: float) -> AsyncIterator[None]:
        """Run jobs in the background until left; then those under way get `grace` seconds to end.

        Leaving takes 3 s more at most: what the library still wants of the database then is given up.
        """
        tasks = {asyncio.create_task(self._work(grace), name="jobs"), asyncio.create_task(self._recover_loop())}
        try:
            yield
        finally:
            self._stopping = True
            # The library takes the first cancellation as a wish to stop gracefully, and the next ones literally.
            for patience in (grace + _CANCEL_SECONDS, *(_CANCEL_SECONDS for _ in range(_CANCELS - 1))):
                for task in tasks:
                    task.cancel()
                if not (await asyncio.wait(tasks, timeout=patience))[1]:
                    break

    async def recover(self) -> None:
        """Queue jobs again that a dead worker, or one that did not know them, left; refresh the figures."""
        async with all_workspaces(self._database) as session:
            await queries.recover_stalled(session, _SILENCE, attempts=ATTEMPTS)
            await queries.requeue_unknown(session, self._known, attempts=ATTEMPTS, pause=_UNKNOWN_PAUSE)
            await queries.prune_ended(session, _KEPT)
            waiting, failed = await queries.count_waiting(session), await queries.count_failed(session)
        for queue in Queue:
            found = waiting.get(queue, queries.Waiting(0, 0))
            self._metrics.waiting.labels(queue).set(found.jobs)
            self._metrics.oldest.labels(queue).set(found.oldest_seconds)
        self._metrics.failed.set(failed)

    async def _recover_loop(self) -> None:
        while not self._stopping:
            try:
                await self.recover()
            except ImghostError as error:
                _log.warning("jobs of dead workers are looked for later", reason=error.code)
            await asyncio.sleep(_RECOVER_SECONDS)

    async def _work(self, grace: float) -> None:
        """Start again whenever the database was away."""
        while not self._stopping:
            try:
                async with self._opened(), asyncio.TaskGroup() as queues:
                    for queue, slots in self._concurrency.items():
                        queues.create_task(self._run_queue(queue, slots, grace))
            except Exception as error:  # noqa: BLE001 - whatever ended the workers, jobs must go on
                _log.warning("the job workers start again", reason=_cause(error))
            if not self._stopping:
                await asyncio.sleep(_RESTART_SECONDS)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[None]:
        """Open the library's connections, and close them also when opening is interrupted or fails.

        A pool that is not closed outlives its process' wish to end: a worker of it that is cancelled while it connects
        takes that as a failed attempt, and waits for the next one.
        """
        try:
            async with self._app.open_async():
                yield
        finally:
            await self._app.close_async()

    async def _run_queue(self, queue: Queue, slots: int, grace: float) -> None:
        await self._app.run_worker_async(
            name=queue,
            queues=[queue],
            concurrency=slots,
            install_signal_handlers=False,
            delete_jobs="successful",
            fetch_job_polling_interval=_FETCH_SECONDS,
            listen_notify=queue is Queue.DEFAULT,  # a connection each; the others can wait for the next poll
            shutdown_graceful_timeout=grace,
        )
        if not self._stopping:  # the library ends a worker quietly when one of its own tasks failed
            raise RuntimeError(f"the worker of queue {queue} ended")

    def _register(self, handler: JobHandler) -> None:
        async def run(**arguments: Any) -> None:
            token = logs.request_id.set(arguments.pop(REQUEST_ID, ""))
            try:
                await self._measure(handler.job.name, lambda: handler.run(handler.job.model_validate(arguments)))
                _log.info("job done", job=handler.job.name)
            finally:
                logs.request_id.reset(token)

        retry = RetryStrategy(max_attempts=ATTEMPTS, exponential_wait=2)
        self._app.task(name=handler.job.name, queue=handler.job.queue, retry=retry)(run)

    def _schedule(self, job: PeriodicJob) -> None:
        async def run(timestamp: int) -> None:
            del timestamp  # which run it was meant for: jobs do what is due now
            await self._measure(job.name, job.run)

        task = self._app.task(name=job.name, queue=job.queue, lock=job.name, queueing_lock=job.name)(run)
        self._app.periodic(cron=job.cron)(task)

    async def _measure(self, name: str, run: Callable[[], Awaitable[object]]) -> None:
        started, outcome = time.monotonic(), "failed"
        try:
            await run()
            outcome = "done"
        except Exception as error:
            _log.warning("job failed", job=name, reason=_cause(error))
            raise
        finally:
            self._metrics.jobs.labels(name, outcome).inc()
            self._metrics.seconds.labels(name).observe(time.monotonic() - started)


def _cause(error: BaseException) -> str:
    """Its code, or its type: a message may hold values."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.code if isinstance(error, ImghostError) else type(error).__name__


def _connector(settings: DatabaseSettings, *, slots: int) -> PsycopgConnector:
    timeout = settings.database_timeout_seconds
    return PsycopgConnector(
        conninfo=settings.database_url.get_secret_value(),
        min_size=1,
        max_size=min(slots, 2) + 2,  # held only for the moments in which a job is fetched or ended
        timeout=timeout,
        kwargs={
            "connect_timeout": max(1, int(timeout)),
            "application_name": "imghost-worker-jobs",
            "options": f"-c statement_timeout={settings.database_statement_timeout_ms} -c timezone=UTC",
            "prepare_threshold": None,
        },
    )
