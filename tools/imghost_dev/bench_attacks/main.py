"""Goodput, memory and recovery under attack. Run: `python -m imghost_dev bench-attacks`.

It starts `imghost up` in a folder of its own. The attacker is another process, at another loopback address, and
connects to the pods directly. Bounded: each attack lasts `--seconds`.
"""

import argparse
import asyncio
import json
import multiprocessing
import secrets
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil

from imghost_dev.bench import MANIFEST, imghost
from imghost_dev.bench_attacks.attacks import ATTACKS
from imghost_dev.bench_attacks.normal_client import TIMEOUT_SECONDS, NormalClient
from imghost_dev.bench_attacks.sockets import Target
from imghost_dev.photographs import photo

_ADDRESS = "127.0.0.77"
_WARM_UP_SECONDS = 2.0
_RECOVERY_SECONDS = 90.0


def main(arguments: Sequence[str]) -> None:
    """Print a row for each attack."""
    parser = argparse.ArgumentParser(
        prog="python -m imghost_dev bench-attacks", description=(__doc__ or "").split(". ")[0]
    )
    parser.add_argument("words", nargs="*", help="only the attacks whose names contain one of these")
    parser.add_argument("--seconds", type=float, default=8.0, help="how long each lasts (default 8)")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="imghost-bench-") as folder:
        state = Path(folder) / "state"
        try:
            imghost("up", str(MANIFEST), "--detach", state=state)
            asyncio.run(_run_all(json.loads(imghost("status", "--json", state=state))["tenants"][0], options))
        finally:
            imghost("down", state=state)


async def _run_all(tenant: dict[str, Any], options: argparse.Namespace) -> None:
    pods = {pod["workload"]: pod for pod in tenant["pods"]}
    print("| attack | uploads, p95 | reads, p95 | probes, p95 | memory before, peak | normal again after |")
    print("|---|---|---|---|---|---|")
    transport = httpx.AsyncHTTPTransport(local_address=_ADDRESS)
    async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT_SECONDS) as client:
        names = [name for name in ATTACKS if not options.words or any(word in name for word in options.words)]
        for name in ["none", *names]:
            row = await _run_one(name, client, pods, options.seconds)
            print(f"| {name} | {' | '.join(row)} |", flush=True)


async def _run_one(name: str, client: httpx.AsyncClient, pods: dict[str, Any], seconds: float) -> list[str]:
    api, imaging = pods["api"]["address"], pods["imaging"]["address"]
    normal, target = await _prepare(client, api, imaging)
    aims_at = ATTACKS[name].aims_at if name in ATTACKS else "api"
    attacked = psutil.Process(pods[aims_at]["pid"])
    probed = NormalClient(
        client, normal.api, f"http://{pods[aims_at]['address']}:9090", normal.view, normal.key, normal.photo
    )
    calm = await probed.measure(_WARM_UP_SECONDS)
    before = attacked.memory_info().rss
    attacker = multiprocessing.get_context("spawn").Process(target=_attack, args=(name, target), daemon=True)
    attacker.start()
    await asyncio.sleep(_WARM_UP_SECONDS)
    watch = asyncio.create_task(_peak(attacked))
    series = await probed.measure(seconds)
    watch.cancel()
    peak = max(_peaks)
    attacker.kill()
    attacker.join()
    recovered = await _recover(probed, 3 * max(calm[0].p95, calm[1].p95))
    return [
        *(each.show(seconds) for each in series),
        f"{before / 2**20:.0f}, {peak / 2**20:.0f} MiB",
        recovered,
    ]


async def _prepare(client: httpx.AsyncClient, api: str, imaging: str) -> tuple[NormalClient, Target]:
    """An account for the normal client and one for the attacker, each with one image."""
    keys, ids = [], []
    own = photo(640, 480, seed=secrets.randbelow(10_000))
    for _ in range(2):
        name = f"bench-{secrets.token_hex(5)}"
        account = {
            "first_name": "B",
            "username": name,
            "email": f"{name}@example.org",
            "password": secrets.token_hex(12),
        }
        registered = await client.post(f"http://{api}:8080/api/v1/auth/register", json=account)
        keys.append(registered.raise_for_status().json()["api_key"]["key"])
        files = {"file": ("a.jpg", photo(2400, 1800, noise=20.0, seed=secrets.randbelow(10_000)), "image/jpeg")}
        stored = await client.post(f"http://{api}:8080/upload", headers={"X-API-Key": keys[-1]}, files=files)
        ids.append(stored.raise_for_status().json()["image"]["id"])
    view = f"http://{imaging}:8080/i/{ids[0]}?size=small"
    normal = NormalClient(client, f"http://{api}:8080", f"http://{api}:9090", view, keys[0], own)
    return normal, Target((api, 8080), (imaging, 8080), keys[1], f"/i/{ids[1]}?size=large")


def _attack(name: str, target: Target) -> None:
    if name in ATTACKS:
        asyncio.run(ATTACKS[name].run(target))


_peaks: list[int] = []


async def _peak(process: psutil.Process) -> None:
    _peaks.clear()
    while True:
        _peaks.append(process.memory_info().rss)
        await asyncio.sleep(0.05)


async def _recover(normal: NormalClient, bound: float) -> str:
    """How long it takes until an upload and a read succeed within `bound` seconds."""
    began = time.monotonic()
    while time.monotonic() - began < _RECOVERY_SECONDS:
        started = time.monotonic()
        try:
            for response in (await normal.upload(), await normal.read()):
                response.raise_for_status()
        except httpx.HTTPError:
            await asyncio.sleep(0.2)
            continue
        if time.monotonic() - started < bound:
            return f"{started - began:.1f} s"
    return f"not within {_RECOVERY_SECONDS:.0f} s"


if __name__ == "__main__":
    main(sys.argv[1:])
