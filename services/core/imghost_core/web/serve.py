"""Run one process: a public and an ops listener in the same event loop, stopped together by SIGTERM or SIGINT."""

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from imghost_core import logs
from imghost_core.settings import ServerSettings
from imghost_core.web.protocol import BoundedHttp

START_FAILED = 3
_log = logs.get("imghost.server")


class _Listener(uvicorn.Server):
    """A server without signal handlers: `_serve` handles signals for both listeners."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Install no signal handlers."""
        yield


def run(public: ASGIApp, ops: ASGIApp, settings: ServerSettings) -> None:
    """Serve until SIGTERM or SIGINT; the public app's lifespan opens and closes what both of them use."""
    import uvloop  # noqa: PLC0415

    uvloop.run(_serve(public, ops, settings))


def run_ops(ops: ASGIApp, settings: ServerSettings) -> None:
    """Serve the ops listener only, for a process without public routes; the app's lifespan does the work."""
    import uvloop  # noqa: PLC0415

    uvloop.run(_serve_ops(ops, settings))


async def _serve_ops(ops: ASGIApp, settings: ServerSettings) -> None:
    listener = _listener(ops, settings, lifespan="on")

    def stop() -> None:
        listener.force_exit = listener.should_exit
        listener.should_exit = True

    _on_signals(stop)
    _log.info("listening", host=settings.host, ops_port=settings.ops_port)
    await listener.serve([_bind(settings.host, settings.ops_port)])
    if not listener.started:
        raise SystemExit(START_FAILED)


def _on_signals(stop: Callable[[], None]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


async def _serve(public: ASGIApp, ops: ASGIApp, settings: ServerSettings) -> None:
    front = _listener(public, settings, lifespan="on")
    back = _listener(ops, settings, lifespan="off")

    def stop() -> None:
        front.force_exit = back.force_exit = back.should_exit
        back.should_exit = True

    _on_signals(stop)
    sockets = [_bind(settings.host, settings.port), _bind(settings.host, settings.ops_port)]
    _log.info(
        "listening",
        host=settings.host,
        port=settings.port,
        ops_port=settings.ops_port,
        trusted_proxies=list(settings.trusted_proxies),
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


def _listener(app: ASGIApp, settings: ServerSettings, *, lifespan: str) -> _Listener:
    return _Listener(
        uvicorn.Config(
            app,
            lifespan=lifespan,  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=list(settings.trusted_proxies),
            timeout_graceful_shutdown=settings.shutdown_grace_seconds,
            http=BoundedHttp,
            ws="none",
        )
    )


def _bind(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(2048)
    listener.set_inheritable(True)
    return listener
