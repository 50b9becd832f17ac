"""How each client meets a store that fails: how long until the outcome, after how many requests, and which it is."""

import asyncio
import os
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from imghost_core.errors import ImghostError
from imghost_core.objects import ObjectStore
from imghost_dev.bench_stores.clients import CLIENTS
from imghost_dev.bench_stores.fault_proxy import Fault, FaultProxy
from imghost_dev.bench_stores.server import Server

BODY = os.urandom(2_000_000)
KEY = "w/1/original"
TIMEOUT_SECONDS = 1.0
BUSY = 16
"""Requests that hang while one more is made: as many as the product's store has threads."""

Operation = Callable[[ObjectStore], Awaitable[str]]
Plan = Callable[[int], Fault]


class Scenario(NamedTuple):
    """One line of the table: what fails, and what is asked of the store meanwhile."""

    name: str
    plan: Plan
    operation: Operation


async def table(store: Server) -> list[str]:
    """One line for each scenario, one column for each client."""
    lines = [f"| fault, with a time-out of {TIMEOUT_SECONDS:g} s | {' | '.join(CLIENTS)} |", "|---|---|---|"]
    for scenario in SCENARIOS:
        outcomes = [await outcome(store, client, scenario) for client in CLIENTS]
        lines.append(f"| {scenario.name} | {' | '.join(outcomes)} |")
    return lines


async def outcome(store: Server, client: str, scenario: Scenario) -> str:
    """Of one client on a proxy of its own, with the object in its place."""
    direct = CLIENTS[client](store.settings())
    await direct.put(KEY, BODY, content_type="image/jpeg")
    await direct.close()
    async with FaultProxy(store.port, scenario.plan) as proxy:
        opened = CLIENTS[client](store.settings(s3_endpoint=proxy.endpoint, store_timeout_seconds=TIMEOUT_SECONDS))
        began = time.perf_counter()
        result = await described(scenario.operation(opened))
        seconds, requests = time.perf_counter() - began, proxy.requests
        if scenario.operation is cancel:
            result += await described(left_open(proxy))
        await opened.close()
    return f"{seconds:.1f} s, {requests} requests: {result}"


async def described(operation: Awaitable[str]) -> str:
    """What came of it; an error by the class that every store raises, or by its own when it is not mapped."""
    try:
        return await operation
    except ImghostError as error:
        return f"`{type(error).__name__}` {error.detail.partition('.')[0]!r}"
    except Exception as error:  # noqa: BLE001 - whatever a client lets through is what we look for
        return f"NOT MAPPED: `{type(error).__name__}`"


async def get(store: ObjectStore) -> str:
    return compared(await store.get(KEY))


async def stream(store: ObjectStore) -> str:
    return compared(b"".join([chunk async for chunk in store.stream(KEY)]))


async def stream_slowly(store: ObjectStore) -> str:
    """As to an end user on a slow line: longer than the time-out between two chunks."""
    parts = []
    async for chunk in store.stream(KEY):
        parts.append(chunk)
        if len(parts) == 1:
            await asyncio.sleep(TIMEOUT_SECONDS * 1.5)
    return compared(b"".join(parts))


async def put(store: ObjectStore) -> str:
    with tempfile.NamedTemporaryFile() as file:
        file.write(BODY)
        file.flush()
        await store.put_file(KEY, Path(file.name), content_type="image/jpeg")
    return "stored"


async def delete(store: ObjectStore) -> str:
    return f"{await store.delete_prefix('w/1/')} deleted"


async def check(store: ObjectStore) -> str:
    await store.check()
    return "passed"


async def cancel(store: ObjectStore) -> str:
    """As when a client of the service leaves."""
    task = asyncio.create_task(store.get(KEY))
    await asyncio.wait([task], timeout=TIMEOUT_SECONDS / 5)
    task.cancel()
    await asyncio.wait([task])
    return "cancelled"


async def left_open(proxy: FaultProxy) -> str:
    """How long the connection outlives the cancelled request."""
    began = time.perf_counter()
    try:
        await asyncio.wait_for(proxy.dropped.wait(), 10)
    except TimeoutError:
        return ", connection open after 10 s"
    return f", connection closed after {time.perf_counter() - began:.1f} s"


async def one_more(store: ObjectStore) -> str:
    """A request that the store would answer, while others hang."""
    others = [asyncio.create_task(store.get(KEY)) for _ in range(BUSY)]
    await asyncio.wait(others, timeout=TIMEOUT_SECONDS / 5)
    result = await get(store)
    for task in others:
        task.cancel()
    await asyncio.wait(others)
    return result


async def many(store: ObjectStore) -> str:
    found = await asyncio.gather(*(get(store) for _ in range(64)))
    return f"{len(found)} times {found[0]}" if len(set(found)) == 1 else "DIFFERENT OUTCOMES"


def compared(body: bytes) -> str:
    return "the object" if body == BODY else "ANOTHER CONTENT, no error"


def always(fault: Fault) -> Plan:
    return lambda _: fault


def first(fault: Fault, requests: int = 1) -> Plan:
    return lambda number: fault if number <= requests else Fault.NONE


def second(fault: Fault) -> Plan:
    """A deletion lists first."""
    return lambda number: fault if number == 2 else Fault.NONE


SCENARIOS = (
    Scenario("no response to any GET", always(Fault.SILENCE), get),
    Scenario("no response to the first GET", first(Fault.SILENCE), get),
    Scenario("no response to any PUT", always(Fault.SILENCE), put),
    Scenario("no response to the first PUT", first(Fault.SILENCE), put),
    Scenario("503 SlowDown to every GET", always(Fault.STATUS_503), get),
    Scenario("503 SlowDown to the first GET", first(Fault.STATUS_503), get),
    Scenario("503 with Retry-After: 5 to the first GET", first(Fault.STATUS_503_LATER), get),
    Scenario("503 SlowDown to every PUT", always(Fault.STATUS_503), put),
    Scenario("503 SlowDown to the first PUT", first(Fault.STATUS_503), put),
    Scenario("503 SlowDown to the first deletion", second(Fault.STATUS_503), delete),
    Scenario("500 to every GET", always(Fault.STATUS_500), get),
    Scenario("503 SlowDown to every check", always(Fault.STATUS_503), check),
    Scenario("connection reset for every GET", always(Fault.RESET), get),
    Scenario("connection reset for the first GET", first(Fault.RESET), get),
    Scenario("connection reset for every PUT", always(Fault.RESET), put),
    Scenario("connection reset for the first PUT", first(Fault.RESET), put),
    Scenario("every body stops half way", always(Fault.BODY_STOPS), get),
    Scenario("the first body stops half way", first(Fault.BODY_STOPS), get),
    Scenario("every body ends half way", always(Fault.BODY_ENDS), get),
    Scenario("the first body ends half way", first(Fault.BODY_ENDS), get),
    Scenario("the first body ends half way, in chunks", first(Fault.BODY_ENDS), stream),
    Scenario("connection reset in the first body", first(Fault.BODY_RESET), get),
    Scenario("a byte changed on the way to the store", always(Fault.UPLOAD_CHANGED), put),
    Scenario("a byte changed on the way back", always(Fault.DOWNLOAD_CHANGED), get),
    Scenario("an upload that moves, over 3 s", always(Fault.UPLOAD_SLOW), put),
    Scenario("a reader that pauses for 1.5 s", always(Fault.NONE), stream_slowly),
    Scenario("a GET without response, cancelled after 0.2 s", always(Fault.SILENCE), cancel),
    Scenario(f"a GET while {BUSY} others get no response", first(Fault.SILENCE, BUSY), one_more),
    Scenario("64 GETs in parallel", always(Fault.NONE), many),
)
