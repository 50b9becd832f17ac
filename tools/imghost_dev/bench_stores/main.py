"""What the two clients of an S3 cost and how they meet faults. Run: `python -m imghost_dev bench-stores`.

It starts a MinIO of its own. Each figure is the median of `--rounds` processes, the clients in turn, so that both meet
the same disturbances; a ratio is the median of the ratios round by round.
"""

import argparse
import asyncio
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from imghost_dev.bench import machine
from imghost_dev.bench_stores import faults, server
from imghost_dev.bench_stores.clients import CLIENTS
from imghost_dev.bench_stores.server import Server
from imghost_dev.bench_stores.worker import OPERATIONS, Sample

SIZES = {"20 kB": (20_000, 5), "2 MB": (2_000_000, 1)}
"""A thumbnail and an original: their bytes, and how many times `--operations` are requested."""
PARALLEL = (1, 16)


def main(arguments: Sequence[str]) -> None:
    """Print the figures as tables."""
    parser = argparse.ArgumentParser(prog="python -m imghost_dev bench-stores", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="processes of each client for each row (default 5)")
    parser.add_argument(
        "--operations",
        type=int,
        default=100,
        help="requests of 2 MB each of them makes (default 100); of 20 kB five times as many",
    )
    parser.add_argument("--only", choices=("costs", "faults"), help="print only this table")
    chosen = parser.parse_args(arguments)
    print(f"{dict(machine())['machine']}; {', '.join(f'{name} {version(name)}' for name in (*CLIENTS, 'urllib3'))}\n")
    with tempfile.TemporaryDirectory(prefix="imghost-bench-") as folder:
        if chosen.only != "faults":
            print_costs(Path(folder), chosen.rounds, chosen.operations)
        if chosen.only != "costs":
            with server.running(Path(folder) / "faults", "http") as store:
                print("\n".join(asyncio.run(faults.table(store))))


def print_costs(folder: Path, rounds: int, operations: int) -> None:
    """One row for each way to connect, size, operation and number of requests in parallel."""
    print("| request | parallel | CPU minio | CPU obstore | ratio | wall minio | wall obstore | ratio | RSS |")
    print("|---|---|---|---|---|---|---|---|---|")
    for scheme in ("http", "https"):
        with server.running(folder / scheme, scheme) as store:
            for (name, (size, times)), operation, parallel in itertools.product(SIZES.items(), OPERATIONS, PARALLEL):
                file = folder / "object"
                file.write_bytes(os.urandom(size))
                pairs = list(sample_pairs(store, operation, parallel, operations * times, file, rounds))
                print(f"| {operation} of {name}, {scheme} | {parallel} | {row(pairs)} |", flush=True)
    print()


def sample_pairs(
    store: Server, operation: str, parallel: int, count: int, file: Path, rounds: int
) -> Iterator[tuple[Sample, Sample]]:
    """A process of each client, `rounds` times; which one is first changes."""
    for number in range(rounds):
        found = {
            client: run_worker(store, client, operation, parallel, count, file)
            for client in sorted(CLIENTS, reverse=bool(number % 2))
        }
        first, second = (found[client] for client in CLIENTS)
        yield first, second


def run_worker(store: Server, client: str, operation: str, parallel: int, count: int, file: Path) -> Sample:
    argv = [sys.executable, "-m", "imghost_dev.bench_stores.worker", client, operation, str(parallel), str(count)]
    environment = {**os.environ, **store.environment}
    done = subprocess.run([*argv, str(file)], check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return Sample(**json.loads(done.stdout))


def row(pairs: Sequence[tuple[Sample, Sample]]) -> str:
    """Medians of both clients and of the ratios, for CPU and for wall time; then the peak of memory."""
    cpu = compare([(first.cpu_ms, second.cpu_ms) for first, second in pairs])
    wall = compare([(first.wall_ms, second.wall_ms) for first, second in pairs])
    memory = [statistics.median(sample.rss_mib for sample in samples) for samples in zip(*pairs, strict=True)]
    return f"{cpu} | {wall} | {memory[0]:.0f}, {memory[1]:.0f} MiB"


def compare(pairs: Sequence[tuple[float, float]]) -> str:
    """The median of each, in milliseconds, and the median of second to first, pair by pair."""
    first, second = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(second / first for first, second in pairs)
    return f"{first:.2f} ms | {second:.2f} ms | {ratio:.2f}"
