"""Rotating a tenant's credentials by hand, as docs/operations.md describes it."""

import psycopg
import pytest

from imghost_operator.platform import ObjectRef
from support.reconcile_harness import ReconcileHarness


async def test_one_removed_entry_is_generated_again_and_the_others_stay(bench: ReconcileHarness) -> None:
    """A new key for sign-in tokens leaves the pepper of API keys alone, and new pods get it."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        before, pods = bench.secret("api-signing"), _pod_template(bench)
        removed = [{"op": "remove", "path": "/data/JWT_PRIVATE_KEY"}]
        bench.patch(ObjectRef("Secret", bench.namespace, "api-signing"), removed, "application/json-patch+json")
        await bench.until(
            lambda: (
                bench.secret("api-signing").get("JWT_PRIVATE_KEY", before["JWT_PRIVATE_KEY"])
                != before["JWT_PRIVATE_KEY"]
            ),
            why="there is a new key",
        )
        assert bench.secret("api-signing")["API_KEY_PEPPER"] == before["API_KEY_PEPPER"]
        await bench.until(lambda: _pod_template(bench) != pods, why="the pods are replaced")


async def test_a_deleted_secret_of_the_database_gets_a_new_password(bench: ReconcileHarness) -> None:
    """The new password signs in, the old one no longer does."""
    bench.create()
    async with bench.running():
        await bench.ready()
        await bench.calm()
        old, key = bench.secret("database-api")["DATABASE_URL"], ObjectRef("Secret", bench.namespace, "database-api")
        bench.delete(key)
        await bench.until(
            lambda: bench.exists(key) and bench.secret("database-api")["DATABASE_URL"] != old, why="a new password"
        )
        async with await psycopg.AsyncConnection.connect(bench.secret("database-api")["DATABASE_URL"]) as connection:
            await connection.execute("SELECT 1")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            await psycopg.AsyncConnection.connect(old)


def _pod_template(bench: ReconcileHarness) -> object:
    return bench.get(ObjectRef("Deployment", bench.namespace, "api"))["spec"]["template"]["metadata"]
