"""The tables of the job queue. Its library owns them, and `db/migrations/pre/0002_jobs.sql` makes them."""

from imghost_api.db.base import API_WRITES, Relation

QUEUE = tuple(
    Relation(f"procrastinate_{name}", (API_WRITES,)) for name in ("events", "jobs", "periodic_defers", "workers")
)
