"""Probes as the kubelet makes them: httpGet, by startup, readiness and liveness, with their thresholds."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from imghost_operator.platform import Object

_EAGER = 0.1  # a pod that is not ready yet is probed more often than its manifest says, which only shortens the wait

Resolve = Callable[[str | int], int]


class Health:
    """The results of the probes of one process. `on_change` is called whenever `ready` changes."""

    def __init__(self, container: Object, address: str, port: Resolve, on_change: Callable[[], None]) -> None:
        self._container, self._address, self._port, self._on_change = container, address, port, on_change
        self.ready = False

    async def watch(self) -> str:
        """Probe until the process should be restarted; returns why."""
        if (startup := self._container.get("startupProbe")) and not await self._started(startup):
            return f"not started within {_budget(startup):.0f} s"
        readiness = asyncio.create_task(self._readiness())
        try:
            return await self._liveness()
        finally:
            readiness.cancel()

    async def _started(self, probe: Object) -> bool:
        try:
            async with asyncio.timeout(_budget(probe)):
                while not await self._succeeds(probe):  # noqa: ASYNC110 - a probe is polling
                    await asyncio.sleep(_EAGER)
        except TimeoutError:
            return False
        return True

    async def _readiness(self) -> None:
        probe, failures = self._container.get("readinessProbe"), 0
        while True:
            failures = 0 if probe is None or await self._succeeds(probe) else failures + 1
            if failures == 0:
                self._turn(ready=True)
            elif failures >= (probe or {}).get("failureThreshold", 3):
                self._turn(ready=False)
            await asyncio.sleep(_period(probe or {}) if self.ready else _EAGER)

    async def _liveness(self) -> str:
        probe, failures = self._container.get("livenessProbe"), 0
        if probe is None:
            forever: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            return await forever
        while failures < probe.get("failureThreshold", 3):
            await asyncio.sleep(_period(probe))
            failures = 0 if await self._succeeds(probe) else failures + 1
        return f"{failures} liveness probes in a row failed"

    def _turn(self, *, ready: bool) -> None:
        if self.ready != ready:
            self.ready = ready
            self._on_change()

    async def _succeeds(self, probe: Object) -> bool:
        get = probe["httpGet"]
        try:
            async with asyncio.timeout(probe.get("timeoutSeconds", 1)):
                status = await _status(self._address, self._port(get["port"]), get.get("path", "/"))
                return HTTPStatus.OK <= status < HTTPStatus.BAD_REQUEST
        except (OSError, TimeoutError, ValueError):
            return False


async def _status(address: str, port: int, path: str) -> int:
    reader, writer = await asyncio.open_connection(address, port)
    try:
        request = (
            f"GET {path} HTTP/1.1\r\nHost: {address}:{port}\r\nUser-Agent: imghost-probe\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode())
        line = await reader.readline()
        return int(line.split(maxsplit=2)[1]) if line.startswith(b"HTTP/") else 0
    finally:
        writer.close()


def _period(probe: dict[str, Any]) -> float:
    return float(probe.get("periodSeconds", 10))


def _budget(probe: Object) -> float:
    return float(probe.get("initialDelaySeconds", 0)) + _period(probe) * int(probe.get("failureThreshold", 3))
