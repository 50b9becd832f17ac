"""The only door to the job queue: jobs are rows in our own database, enqueued in the transaction that needs them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

from procrastinate import App, PsycopgConnector, RetryStrategy

from imghost_api.db.engine import Session
from imghost_api.metrics import ApiMetrics
from imghost_api.settings import ApiSettings
from imghost_core import logs

Job = Callable[..., Awaitable[object]]
_ATTEMPTS: Final = 10
_RESTART_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 3.0
_CANCELS: Final = 3
_STALLED_SECONDS: Final = 60.0
_log = logs.get("imghost.jobs")


class Jobs:
    """Names and runs jobs. A job must do no harm when run twice: a killed worker's jobs are run again."""

    def __init__(self, settings: ApiSettings, metrics: ApiMetrics) -> None:
        self._concurrency = settings.jobs_concurrency
        self._metrics = metrics
        self._stopping = False
        self._app = App(connector=_connector(settings))
        self.every("* * * * *", "retry_stalled", self._retry_stalled)

    def on(self, name: str, job: Job) -> None:
        """Run `job` for every enqueued `name`; retried with growing pauses, then kept as failed."""
        self._app.task(name=name, queue="default", retry=_retry())(self._counted(name, job))

    def every(self, cron: str, name: str, job: Job) -> None:
        """Run `job` on a schedule of UTC, once among all processes, and never beside itself."""
        counted = self._counted(name, job)

        async def scheduled(timestamp: int) -> None:
            del timestamp  # which run it was meant for: our jobs do what is to be done now
            await counted()

        task = self._app.task(name=name, queue="upkeep", lock=name, queueing_lock=name, retry=_retry())(scheduled)
        self._app.periodic(cron=cron)(task)

    async def enqueue(self, session: Session, name: str, **arguments: str) -> None:
        """Enqueue a job on the session's own connection: it exists if, and only if, the transaction commits."""
        raw = await (await session.connection()).get_raw_connection()
        task = self._app.configure_task(name, queue="default", connection=raw.driver_connection)
        await task.defer_async(**arguments)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run jobs in the background until left; then those under way get some seconds to end."""
        worker = asyncio.create_task(self._work())
        try:
            yield
        finally:
            self._stopping = True
            for _ in range(_CANCELS):  # the library takes the first as a wish, and the next seriously
                worker.cancel()
                if (await asyncio.wait({worker}, timeout=_STOP_SECONDS))[0]:
                    break

    async def _work(self) -> None:
        """Start over whenever the database was away."""
        while self._concurrency and not self._stopping:
            try:
                async with self._app.open_async():
                    await self._app.run_worker_async(
                        concurrency=self._concurrency,
                        install_signal_handlers=False,
                        delete_jobs="successful",
                        shutdown_graceful_timeout=_STOP_SECONDS,
                    )
            except Exception as error:  # noqa: BLE001 - whatever ended the worker, jobs must go on
                _log.warning("the job worker starts over", reason=type(error).__name__)
            if not self._stopping:
                await asyncio.sleep(_RESTART_SECONDS)

    def _counted(self, name: str, job: Job) -> Job:
        async def run(**arguments: Any) -> None:
            try:
                await job(**arguments)
            except Exception as error:
                self._metrics.jobs.labels(name, "failed").inc()
                _log.warning("job failed", job=name, reason=type(error).__name__)
                raise
            self._metrics.jobs.labels(name, "done").inc()

        return run

    async def _retry_stalled(self) -> None:
        for job in await self._app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_SECONDS):
            await self._app.job_manager.retry_job(job)


def _retry() -> RetryStrategy:
    return RetryStrategy(max_attempts=_ATTEMPTS, exponential_wait=2)


def _connector(settings: ApiSettings) -> PsycopgConnector:
    timeout = settings.database_timeout_seconds
    return PsycopgConnector(
        conninfo=settings.database_url.get_secret_value(),
        min_size=1,
        max_size=settings.jobs_concurrency + 2,
        timeout=timeout,
        kwargs={
            "connect_timeout": max(1, int(timeout)),
            "application_name": "imghost-api-jobs",
            "options": f"-c statement_timeout={settings.database_statement_timeout_ms} -c timezone=UTC",
        },
    )
