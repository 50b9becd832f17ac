"""Probes and metrics of the operator over HTTP. `/livez` fails when a watch no longer responds."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from imghost_core.health import OK, HealthReport
from imghost_core.metrics import render
from imghost_operator.metrics import Metrics

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Check = Callable[[], str | None]
"""Returns the problem, or None if there is none."""


async def serve(
    host: str, port: int, metrics: Metrics, live: Mapping[str, Check], ready: Mapping[str, Check]
) -> web.AppRunner:
    """Serve `/livez`, `/readyz` and `/metrics` until `cleanup()` of the returned runner is called."""

    def probe(checks: Mapping[str, Check]) -> Handler:
        async def respond(_request: web.Request) -> web.Response:
            report = HealthReport({name: check() or OK for name, check in checks.items()})
            return web.json_response(report.body, status=report.status, headers=report.headers)

        return respond

    async def exposition(_request: web.Request) -> web.Response:
        text, content_type = render(metrics.registry)
        return web.Response(body=text, headers={"Content-Type": content_type})

    app = web.Application()
    app.add_routes([web.get("/livez", probe(live)), web.get("/readyz", probe(ready)), web.get("/metrics", exposition)])
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner
