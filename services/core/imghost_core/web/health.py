"""Routes of the probes. `/livez`: the event loop runs. `/readyz`: the dependencies respond. `/health`: the service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from imghost_core.errors import ImghostError
from imghost_core.health import OK, HealthReport
from imghost_core.timestamps import format_utc

QUIET = frozenset({"/livez", "/readyz", "/health", "/metrics"})
_TIMEOUT_SECONDS = 3.0
Check = Callable[[], Awaitable[object]]


def routes(service: str, checks: Mapping[str, Check]) -> list[Route]:
    """The three routes. `checks` are run by `/readyz`; any that raises, or takes over 3 s, makes it 503."""

    async def health(_request: Request) -> JSONResponse:
        return JSONResponse({"status": OK, "service": service, "time": _now()}, headers={"Cache-Control": "no-store"})

    async def livez(_request: Request) -> JSONResponse:
        return _respond(HealthReport({}))

    async def readyz(_request: Request) -> JSONResponse:
        results = await asyncio.gather(*map(_run, checks.values()))
        return _respond(HealthReport(dict(zip(checks, results, strict=True))))

    return [Route("/health", health), Route("/livez", livez), Route("/readyz", readyz)]


def _respond(report: HealthReport) -> JSONResponse:
    return JSONResponse(report.body, report.status, report.headers)


async def _run(check: Check) -> str:
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await check()
    except TimeoutError:
        return f"no response within {_TIMEOUT_SECONDS:.0f} s"
    except ImghostError as error:
        return error.detail
    except Exception as error:  # noqa: BLE001 - a probe reports every failure, by type only
        return type(error).__name__
    return OK


def _now() -> str:
    return format_utc(datetime.now(UTC))
