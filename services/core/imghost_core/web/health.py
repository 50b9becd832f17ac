"""Health: `/livez`: the event loop runs; `/readyz`: the dependencies respond; `/health`: which service this is."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from imghost_core.errors import ImghostError
from imghost_core.timestamps import format_utc

QUIET = frozenset({"/livez", "/readyz", "/health", "/metrics"})
_TIMEOUT = 3.0
Check = Callable[[], Awaitable[object]]


def routes(service: str, checks: Mapping[str, Check]) -> list[Route]:
    """The three routes. `checks` are run by `/readyz`; any that raises, or takes over 3 s, makes it 503."""

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok", "service": service, "time": _now()}, headers={"Cache-Control": "no-store"})

    async def livez(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})

    async def readyz(_request: Request) -> JSONResponse:
        results = dict(zip(checks, await asyncio.gather(*map(_run, checks.values())), strict=True))
        ready = all(result == "ok" for result in results.values())
        headers = {"Cache-Control": "no-store"} | ({} if ready else {"Retry-After": "2"})
        return JSONResponse(
            {"status": "ok" if ready else "unavailable", "checks": results}, 200 if ready else 503, headers
        )

    return [Route("/health", health), Route("/livez", livez), Route("/readyz", readyz)]


async def _run(check: Check) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT):
            await check()
    except TimeoutError:
        return f"no answer within {_TIMEOUT:.0f} s"
    except ImghostError as error:
        return error.detail
    except Exception as error:  # noqa: BLE001 - a probe reports every failure, by type only
        return type(error).__name__
    return "ok"


def _now() -> str:
    return format_utc(datetime.now(UTC))
