"""What a tenant on one machine costs: starts, memory at rest, uploads and thumbnails. Run: `make bench`.

It starts `imghost up` in a folder of its own, so your own tenant can keep running; load goes to loopback only and is
bounded by `--uploads`. Every upload is a different image, so that no response comes from a cache.
"""

import argparse
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import psutil

from imghost_dev.images import CHECKOUT
from imghost_dev.photographs import photo

MANIFEST = CHECKOUT / "manifests" / "samples" / "demo.yaml"
IMGHOST = shutil.which("imghost", path=str(Path(sys.executable).parent)) or "imghost"


def main(arguments: Sequence[str]) -> None:
    """Print the figures as a table."""
    parser = argparse.ArgumentParser(prog="python -m imghost_dev bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--uploads", type=int, default=60, help="how many uploads to time (default 60)")
    uploads = parser.parse_args(arguments).uploads
    with tempfile.TemporaryDirectory(prefix="imghost-bench-") as folder:
        state = Path(folder) / "state"
        rows = machine() + measure(state, uploads)
    print("\n| what | figure |\n|---|---|")
    print("\n".join(f"| {what} | {figure} |" for what, figure in rows))


def machine() -> list[tuple[str, str]]:
    cpu = next(
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    )
    libraries = ", ".join(f"{name} {version(name)}" for name in ("fastapi", "starlette", "uvicorn", "pyvips-binary"))
    memory = psutil.virtual_memory().total / 2**30
    return [
        ("machine", f"{psutil.cpu_count()} x {cpu}, {memory:.0f} GiB, Linux {platform.release()}"),
        ("versions", f"Python {platform.python_version()}, {libraries}"),
    ]


def measure(state: Path, uploads: int) -> list[tuple[str, str]]:
    try:
        first = time_of(lambda: imghost("up", str(MANIFEST), "--detach", state=state))
        imghost("down", state=state)
        second = time_of(lambda: imghost("up", str(MANIFEST), "--detach", state=state))
        report = json.loads(imghost("status", "--json", state=state))
        idle = memory_at_rest(report)
        return [
            ("first start, nothing there yet", f"{first:.1f} s"),
            ("second start", f"{second:.1f} s"),
            *idle,
            *latencies(report["tenants"][0], uploads),
            *[(f"{what}, after the load", figure) for what, figure in memory_at_rest(report)],
        ]
    finally:
        imghost("down", state=state)


def imghost(*arguments: str, state: Path) -> str:
    done = subprocess.run([IMGHOST, *arguments, "--state", str(state)], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout


def time_of(action: Callable[[], Any]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def memory_at_rest(report: dict[str, Any]) -> list[tuple[str, str]]:
    """Proportional set size in MiB: pages that processes share are counted once."""
    processes = {f"pod {pod['name']}": [psutil.Process(pod["pid"])] for pod in report["tenants"][0]["pods"]}
    processes["imghost up (operator's reconcile, supervisor)"] = [psutil.Process(report["pid"])]
    postgres = psutil.Process(report["postgres"]["pid"])
    processes["PostgreSQL, all its processes"] = [postgres, *postgres.children(recursive=True)]
    return [
        (f"memory of {name}", f"{sum(process.memory_full_info().pss for process in found) / 2**20:.0f} MiB")
        for name, found in processes.items()
    ]


def latencies(tenant: dict[str, Any], uploads: int) -> list[tuple[str, str]]:
    headers = {"X-API-Key": tenant["key"]}
    upload, thumb, original = [], [], []
    size = 0
    with httpx.Client(timeout=30) as client:
        for number in range(uploads):
            body = photo(4320, 3240, seed=number)
            size += len(body)
            response, seconds = call(
                client, "POST", f"{tenant['urls']['upload']}/upload", headers=headers, files={"file": body}
            )
            upload.append(seconds)
            image = response.json()["image"]
            thumb.append(call(client, "GET", image["thumbnail"])[1])
            original.append(call(client, "GET", image["view_url"])[1])
    return [
        (f"upload of {size / uploads / 1e6:.1f} MB, 4320 x 3240, p50 / p95", spread(upload)),
        ("its thumbnail, p50 / p95", spread(thumb)),
        ("its original, p50 / p95", spread(original)),
    ]


def call(client: httpx.Client, method: str, url: str, **content: Any) -> tuple[httpx.Response, float]:
    began = time.perf_counter()
    response = client.request(method, url, **content)
    seconds = time.perf_counter() - began
    response.raise_for_status()
    return response, seconds


def spread(seconds: list[float]) -> str:
    cuts = statistics.quantiles(seconds, n=20)
    return f"{statistics.median(seconds) * 1000:.0f} / {cuts[18] * 1000:.0f} ms"
