"""Put a job into its queue, in the caller's transaction."""

from procrastinate import PsycopgConnector
from procrastinate.jobs import Job as Row
from procrastinate.manager import JobManager

from imghost_api.db.engine import Session
from imghost_api.jobs.job import REQUEST_ID, Job
from imghost_core import logs


async def enqueue(session: Session, job: Job, *, lock: str | None = None) -> None:
    """Enqueue `job` on the session's own connection: it exists if, and only if, the transaction commits.

    Jobs with the same `lock` run one after the other, in the order they were enqueued.
    """
    caused_by = {REQUEST_ID: request} if (request := logs.request_id.get()) else {}
    raw = await (await session.connection()).get_raw_connection()
    row = Row(
        id=None,
        queue=job.queue,
        task_name=job.name,
        task_kwargs=job.model_dump(mode="json") | caused_by,
        lock=lock,
        queueing_lock=None,
    )
    # The connector has no connection of its own and is never opened: the session's is given.
    await JobManager(PsycopgConnector()).defer_job_async(row, connection=raw.driver_connection)
