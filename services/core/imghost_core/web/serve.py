"""Run one process: a public and an ops listener in the same event loop, stopped together by SIGTERM or SIGINT."""

import asyncio
import signal
from collections.abc import Callable

from imghost_core import logs
from imghost_core.settings import ServerSettings
from imghost_core.web import descriptors
from imghost_core.web.listeners import bind, listener, ops_limits, public_limits
from imghost_core.web.middleware import RequestEnvelope

START_FAILED = 3
_log = logs.get("imghost.server")


def run(public: RequestEnvelope, ops: RequestEnvelope, settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT; the public app's lifespan opens and closes what both of them use."""
    import uvloop  # noqa: PLC0415

    uvloop.run(_serve(public, ops, settings))


def run_ops(ops: RequestEnvelope, settings: ServerSettings) -> None:
    """Serve the ops listener only, for a process without public routes; the app's lifespan does the work."""
    import uvloop  # noqa: PLC0415

    uvloop.run(_serve_ops(ops, settings))


async def _serve_ops(ops: RequestEnvelope, settings: ServerSettings) -> None:
    _, most = descriptors.share(descriptors.raise_limit(), settings.connections)
    back = listener(ops, settings, "ops", ops_limits(settings, most), lifespan="on")

    def stop() -> None:
        back.force_exit = back.should_exit
        back.should_exit = True

    _on_signals(stop)
    _log.info("listening", host=settings.host, ops_port=settings.ops_port, ops_connections=most)
    await back.serve([bind(settings.host, settings.ops_port)])
    if not back.started:
        raise SystemExit(START_FAILED)


def _on_signals(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def _serve(public: RequestEnvelope, ops: RequestEnvelope, settings: ServerSettings) -> None:
    files = descriptors.raise_limit()
    most, ops_most = descriptors.share(files, settings.connections)
    front = listener(public, settings, "public", public_limits(settings, most), lifespan="on")
    back = listener(ops, settings, "ops", ops_limits(settings, ops_most), lifespan="off")

    def stop() -> None:
        front.force_exit = back.force_exit = back.should_exit
        back.should_exit = True

    _on_signals(stop)
    sockets = [bind(settings.host, settings.port), bind(settings.host, settings.ops_port)]
    _log.info(
        "listening",
        host=settings.host,
        port=settings.port,
        ops_port=settings.ops_port,
        trusted_proxies=list(settings.trusted_proxies),
        file_descriptors=files,
        connections=most,
        ops_connections=ops_most,
    )
    behind = asyncio.create_task(back.serve([sockets[1]]))
    # The public listener stops last: its lifespan closes what requests of both still use.
    behind.add_done_callback(lambda _task: setattr(front, "should_exit", True))
    try:
        await front.serve([sockets[0]])
    finally:
        back.should_exit = True
        await behind
    if not front.started:
        raise SystemExit(START_FAILED)
