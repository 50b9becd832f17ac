"""The comparison of the clients of an S3: what it computes, and that its proxy fails as it says."""

import argparse
import asyncio
from pathlib import Path

import minio as minio_client
import pytest

from imghost_dev.bench_stores import faults, worker
from imghost_dev.bench_stores.clients import CLIENTS
from imghost_dev.bench_stores.main import row
from imghost_dev.bench_stores.server import Server
from imghost_dev.bench_stores.worker import OPERATIONS, Sample
from support.minio import Minio

BUCKET = "test-bench-stores"


@pytest.fixture
def server(minio: Minio) -> Server:
    client = minio_client.Minio(
        minio.endpoint.removeprefix("http://"), minio.access_key, minio.secret_key, secure=False
    )
    if not client.bucket_exists(BUCKET):
        client.make_bucket(BUCKET)
    environment = {
        "STORE_KIND": "s3",
        "S3_ENDPOINT": minio.endpoint,
        "S3_BUCKET": BUCKET,
        "S3_ACCESS_KEY_ID": minio.access_key,
        "S3_SECRET_ACCESS_KEY": minio.secret_key,
    }
    return Server(minio.port, environment)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out that only what is meant to exceed it exceeds, also on a busy machine."""
    monkeypatch.setattr(faults, "TIMEOUT_SECONDS", 3.0)


def test_a_row_has_medians_and_the_ratio_of_pairs() -> None:
    """A round that was disturbed changes neither the medians nor the ratio, which compares within each round."""
    pairs = [
        (Sample(cpu_ms=2, wall_ms=10, rss_mib=50), Sample(cpu_ms=1, wall_ms=30, rss_mib=60)),
        (Sample(cpu_ms=4, wall_ms=20, rss_mib=51), Sample(cpu_ms=2, wall_ms=60, rss_mib=61)),
        (Sample(cpu_ms=400, wall_ms=90, rss_mib=90), Sample(cpu_ms=200, wall_ms=20, rss_mib=62)),
    ]
    assert row(pairs) == "4.00 ms | 2.00 ms | 0.50 | 20.00 ms | 30.00 ms | 3.00 | 51, 61 MiB"


async def test_operations_run_once_each_and_as_many_in_parallel_as_said() -> None:
    """Every number is taken by one task, and no more than the given number of tasks is inside."""
    seen: list[int] = []
    inside = most = 0

    async def operation(number: int) -> None:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(0)
        seen.append(number)
        inside -= 1

    await worker.repeat(operation, 20, 4)
    assert (sorted(seen), most) == (list(range(20)), 4)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("operation", OPERATIONS)
async def test_a_sample_of_each_operation_is_taken(
    client: str, operation: str, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measured process reads the store from its environment, makes its requests and says what they cost."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "object").write_bytes(b"content" * 1000)
    chosen = argparse.Namespace(client=client, operation=operation, parallel=2, count=4, file=tmp_path / "object")
    sample = await worker.measure(chosen)
    assert min(sample.wall_ms, sample.rss_mib) > 0
    assert await CLIENTS[client](server.settings()).get(worker.key(0)) == b"content" * 1000


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    ("name", "requests", "result"),
    [
        ("503 SlowDown to every GET", 3, "`Unavailable`"),
        ("503 SlowDown to the first PUT", 2, "stored"),
        ("connection reset for the first GET", 2, "the object"),
        ("every body stops half way", None, "`Unavailable`"),
        ("every body ends half way", None, "`Unavailable`"),
        ("a byte changed on the way to the store", 1, "`Unavailable`"),
        ("a byte changed on the way back", 1, "ANOTHER CONTENT"),
        ("a reader that pauses for 1.5 s", 1, "the object"),
    ],
)
async def test_both_clients_meet_a_fault_alike(
    client: str, name: str, requests: int | None, result: str, server: Server
) -> None:
    """Faults that both clients meet in the same way: a failed or changed transfer never passes for a good one, except
    that neither verifies what comes back.
    """
    outcome = await outcome_of(server, client, name)
    assert result in outcome
    assert requests is None or f" {requests} requests:" in outcome


@pytest.mark.parametrize(
    ("name", "requests", "result"),
    [
        ("the first body ends half way", 2, "the object"),
        ("the first body ends half way, in chunks", 2, "the object"),
        ("the first body stops half way", 2, "the object"),
        ("connection reset in the first body", 2, "the object"),
        ("503 SlowDown to the first deletion", 3, "1 deleted"),
        ("a GET without response, cancelled after 0.2 s", 1, "connection closed"),
        ("a GET while 16 others get no response", 17, "the object"),
    ],
)
async def test_the_store_of_the_product_recovers(name: str, requests: int, result: str, server: Server) -> None:
    """A body that breaks off is resumed, a deletion is tried again, a cancelled request ends and no request waits for
    others that hang: why the product has this client.
    """
    outcome = await outcome_of(server, "obstore", name)
    assert f" {requests} requests: " in outcome
    assert result in outcome


async def outcome_of(server: Server, client: str, name: str) -> str:
    (scenario,) = (found for found in faults.SCENARIOS if found.name == name)
    return await faults.outcome(server, client, scenario)
