"""The process that is measured: one client, one operation, many times. It prints a `Sample` as JSON.

Its store is that of the environment, as in the services: `S3_ENDPOINT` and so on.
"""

import argparse
import asyncio
import json
import resource
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from imghost_core.objects import ObjectStore
from imghost_core.settings import StoreSettings
from imghost_dev.bench_stores.clients import CLIENTS

KEYS = 32
"""How many objects there are: they are written over, so that the disk does not fill."""


@dataclass(frozen=True)
class Sample:
    """What one process used: milliseconds per operation, and MiB at most."""

    cpu_ms: float
    wall_ms: float
    rss_mib: float


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("client", choices=CLIENTS)
    parser.add_argument("operation", choices=OPERATIONS)
    parser.add_argument("parallel", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("file", type=Path)
    chosen = parser.parse_args(arguments)
    print(json.dumps(asdict(uvloop.run(measure(chosen)))))


async def measure(chosen: argparse.Namespace) -> Sample:
    """Connect first: every task makes one request that is not counted."""
    store = CLIENTS[chosen.client](StoreSettings())
    operation = OPERATIONS[chosen.operation]
    for number in range(KEYS if chosen.operation != "PUT" else 0):
        await store.put_file(key(number), chosen.file, content_type="image/jpeg")
    await repeat(lambda number: operation(store, key(number), chosen.file), chosen.parallel, chosen.parallel)
    cpu, began = cpu_seconds(), time.perf_counter()
    await repeat(lambda number: operation(store, key(number), chosen.file), chosen.count, chosen.parallel)
    cpu, wall = cpu_seconds() - cpu, time.perf_counter() - began
    await store.close()
    return Sample(cpu / chosen.count * 1000, wall / chosen.count * 1000, peak_mib())


async def repeat(operation: Callable[[int], Awaitable[None]], count: int, parallel: int) -> None:
    """Do it `count` times, `parallel` of them at any moment."""
    numbers = iter(range(count))

    async def some() -> None:
        for number in numbers:  # one iterator for all: each number is taken by one task
            await operation(number)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(parallel):
            tasks.create_task(some())


async def put(store: ObjectStore, name: str, file: Path) -> None:
    """As the api stores an original."""
    await store.put_file(name, file, content_type="image/jpeg")


async def get(store: ObjectStore, name: str, file: Path) -> None:
    """As imaging reads an original."""
    check_size(len(await store.get(name)), file)


async def stream(store: ObjectStore, name: str, file: Path) -> None:
    """As imaging delivers an original."""
    check_size(sum([len(chunk) async for chunk in store.stream(name)]), file)


OPERATIONS = {"PUT": put, "GET": get, "GET in chunks": stream}


def check_size(size: int, file: Path) -> None:
    if size != file.stat().st_size:
        raise RuntimeError(f"{size} bytes came instead of {file.stat().st_size}")


def key(number: int) -> str:
    return f"bench/{number % KEYS}"


def cpu_seconds() -> float:
    """Of all threads of this process, in user and in system mode."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def peak_mib() -> float:
    """The most memory since this program was loaded; `ru_maxrss` would count the process that started it as well."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
