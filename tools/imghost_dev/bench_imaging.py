"""What the sandbox of the decoders costs, and what it holds. Run: `python -m imghost_dev bench-imaging`.

It starts the imaging service on a folder, without a database, and sends ingest requests to it on loopback: photographs
one after another, then 20 large interlaced PNGs of 16 bits in parallel with photographs between them. `--source` is
another checkout to measure in place of this one.
"""

import argparse
import hashlib
import http.client
import json
import os
import secrets
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import psutil

from imghost_dev.images import CHECKOUT
from imghost_dev.photographs import photo, scene

_OPS_PORT, _PORT = 18291, 18290
_MIB = 1024**2
_TOKEN = secrets.token_hex(16)


def main(arguments: Sequence[str]) -> None:
    """Print the figures as a table."""
    parser = argparse.ArgumentParser(prog="python -m imghost_dev bench-imaging", description="sandbox")
    parser.add_argument("--source", type=Path, default=CHECKOUT, help="the checkout to measure (default: this one)")
    parser.add_argument("--uploads", type=int, default=30, help="photographs to time (default 30)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, serve(options.source, Path(folder)) as service:
        print("| what | figure |\n|---|---|")
        for what, figure in chain(measure_uploads(service, options.uploads), measure_attack(service)):
            print(f"| {what} | {figure} |", flush=True)


class Service:
    """The service, and the folder of its store."""

    def __init__(self, process: psutil.Process, store: Path) -> None:
        self.process, self.store = process, store
        self.workspace = uuid.uuid4()

    def put(self, body: bytes) -> bytes:
        """Store an original; returns the ingest request."""
        image, digest = uuid.uuid4(), hashlib.sha256(body).hexdigest()
        path = self.store / "w" / str(self.workspace) / str(image) / "original" / digest
        path.parent.mkdir(parents=True)
        path.write_bytes(body)
        values = {"workspace": str(self.workspace), "image": str(image), "sha256": digest, "size": len(body)}
        return json.dumps(values).encode()

    def ingest(self, request: bytes) -> tuple[int, float]:
        """Status and seconds of the request; 0 when the connection broke."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", _OPS_PORT, timeout=120)
        try:
            connection.request("POST", "/internal/ingest", request, {"Authorization": f"Bearer {_TOKEN}"})
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            status = 0
        finally:
            connection.close()
        return status, time.perf_counter() - began

    def processes(self) -> list[psutil.Process]:
        """The service and all processes below it."""
        return [self.process, *self.process.children(recursive=True)]

    def memory(self) -> int:
        """Proportional set size of all of them, in bytes."""
        total = 0
        for process in self.processes():
            try:
                total += process.memory_full_info().pss
            except psutil.Error:
                continue
        return total

    def cpu(self) -> float:
        """CPU seconds of all of them, and of those that have ended."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(one.user + one.system + one.children_user + one.children_system for one in times)


@contextmanager
def serve(source: Path, folder: Path) -> Iterator[Service]:
    """Serve until left."""
    store = folder / "store"
    store.mkdir()
    values = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{source / 'services/imaging'}:{source / 'services/core'}",
        "PORT": str(_PORT),
        "OPS_PORT": str(_OPS_PORT),
        "INTERNAL_TOKEN": _TOKEN,
        "DATABASE_URL": "postgresql://unused@127.0.0.1:1/none",
        "STORE_KIND": "filesystem",
        "STORE_ROOT": str(store),
        "MAX_INPUT_BYTES": str(200 * _MIB),
        "MALLOC_ARENA_MAX": "2",
        "CONCURRENCY": "2",
        "LOG_LEVEL": "error",
    }
    with subprocess.Popen([sys.executable, "-m", "imghost_imaging"], env=values, cwd=folder) as process:
        service = Service(psutil.Process(process.pid), store)
        try:
            wait_until_ready()
            yield service
        finally:
            process.terminate()


def wait_until_ready() -> None:
    """Wait until the ops listener answers."""
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", _OPS_PORT, timeout=5)
        try:
            connection.request("GET", "/livez")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise SystemExit("the service did not start")


def measure_uploads(service: Service, count: int) -> Iterator[tuple[str, str]]:
    time.sleep(2)
    yield "memory at rest", f"{service.memory() / _MIB:.0f} MiB"
    requests = [service.put(photo(4320, 3240, seed=number)) for number in range(count)]
    for request in requests[:3]:
        service.ingest(request)
    cpu, seconds = service.cpu(), [service.ingest(request)[1] for request in requests]
    time.sleep(0.2)
    yield "ingest of a photograph, p50", f"{statistics.median(seconds) * 1000:.0f} ms"
    yield "its fastest", f"{min(seconds) * 1000:.0f} ms"
    yield "its CPU", f"{(service.cpu() - cpu) / count * 1000:.0f} ms"
    yield "memory after it", f"{service.memory() / _MIB:.0f} MiB"


def measure_attack(service: Service) -> Iterator[tuple[str, str]]:
    """20 interlaced PNGs of 24 megapixels and 16 bits in parallel, and photographs every half second."""
    deep = (scene(6000, 4000, noise=0).cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    body = bytes(deep.bandjoin(40_000).pngsave_buffer(interlace=True, compression=1))
    large = [service.put(body + bytes(number)) for number in range(20)]
    small = [service.put(photo(1600, 1200, seed=number)) for number in range(60)]
    highest, stopped = [0], threading.Event()

    def watch() -> None:
        while not stopped.is_set():
            highest[0] = max(highest[0], service.memory())
            time.sleep(0.02)

    watching = threading.Thread(target=watch)
    watching.start()
    with ThreadPoolExecutor(80) as clients:
        began = time.perf_counter()
        attack = [clients.submit(service.ingest, request) for request in large]
        normal: list[Any] = []
        while not all(one.done() for one in attack) and len(normal) < len(small):
            normal.append(clients.submit(service.ingest, small[len(normal)]))
            time.sleep(0.5)
        outcomes = [[one.result() for one in these] for these in (attack, normal)]
        seconds = time.perf_counter() - began
    stopped.set()
    watching.join()
    for name, these in zip((f"20 PNGs of {len(body) / _MIB:.0f} MiB", "photographs meanwhile"), outcomes, strict=True):
        yield f"{name}, by status", f"{dict(Counter(status for status, _ in these))}"
    yield "photographs a second", f"{sum(status == 200 for status, _ in outcomes[1]) / seconds:.2f}"
    yield "highest memory of all processes", f"{highest[0] / _MIB:.0f} MiB"
