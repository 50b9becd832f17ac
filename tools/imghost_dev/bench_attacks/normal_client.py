"""The normal client: uploads and reads one after another, and a probe of the ops listener, each timed."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from statistics import quantiles

import httpx

PAUSE_SECONDS = 0.05
TIMEOUT_SECONDS = 10.0
_UPLOADS_AT_MOST = 90  # of one phase: the free plan allows a hundred a day


@dataclass
class Series:
    """The durations of what succeeded, in seconds, and how many requests failed."""

    seconds: list[float] = field(default_factory=list)
    failed: int = 0

    @property
    def p95(self) -> float:
        """The 95th percentile in seconds; infinite when nothing succeeded."""
        match self.seconds:
            case []:
                return float("inf")
            case [only]:
                return only
            case several:
                return quantiles(several, n=20)[18]

    def show(self, during: float) -> str:
        """Rate, 95th percentile and failures."""
        failed = f", {self.failed} failed" if self.failed else ""
        p95 = f"{self.p95 * 1000:.0f} ms" if self.seconds else "none succeeded"
        return f"{len(self.seconds) / during:.1f}/s, {p95}{failed}"


@dataclass
class NormalClient:
    """One account with its own address. `urls` are the base URLs of api, imaging and the ops listener of the api."""

    client: httpx.AsyncClient
    api: str
    probe: str
    view: str
    key: str
    photo: bytes

    async def measure(self, seconds: float) -> tuple[Series, Series, Series]:
        """Uploads, reads and probes for `seconds`."""
        series = Series(), Series(), Series()
        calls = (self.upload, self.read, self.check)
        limits = (_UPLOADS_AT_MOST, 10**9, 10**9)
        end = time.monotonic() + seconds
        await asyncio.gather(*(_loop(*each, end) for each in zip(calls, series, limits, strict=True)))
        return series

    async def upload(self) -> httpx.Response:
        """Upload the photograph."""
        files = {"file": ("a.jpg", self.photo, "image/jpeg")}
        return await self.client.post(f"{self.api}/upload", headers={"X-API-Key": self.key}, files=files)

    async def read(self) -> httpx.Response:
        """Read a variant."""
        return await self.client.get(self.view)

    async def check(self) -> httpx.Response:
        """Probe the ops listener."""
        return await self.client.get(f"{self.probe}/livez")


async def _loop(call: Callable[[], Awaitable[httpx.Response]], series: Series, most: int, end: float) -> None:
    while time.monotonic() < end and len(series.seconds) < most:
        began = time.monotonic()
        try:
            response = await call()
            response.raise_for_status()
        except httpx.HTTPError:
            series.failed += 1
        else:
            series.seconds.append(time.monotonic() - began)
        await asyncio.sleep(PAUSE_SECONDS)
