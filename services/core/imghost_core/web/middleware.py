"""The outermost ASGI middleware: request id, access log, metrics, trace span, security headers, logged exceptions."""

import re
import time
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imghost_core import ids, logs
from imghost_core.errors import HttpError
from imghost_core.metrics import HttpMetrics
from imghost_core.web.incoming_body import IncomingBody
from imghost_core.web.pace import Pace
from imghost_core.web.problems import CLIENT_CLOSED_REQUEST, PROBLEM_CODE, problem_response
from imghost_core.web.request_head import check_head

_ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
_log = logs.get("imghost.http")
_tracer = trace.get_tracer("imghost.http")


class RequestEnvelope:
    """Wraps a whole app, including the framework's own error responses, so that these are accounted for too.

    `quiet` paths (probes, metrics) are neither logged nor traced. `traced` is off for a framework that makes its own
    spans. Bodies that are slower than `pace` are a 408. `app` is the wrapped app.
    """

    def __init__(
        self,
        app: ASGIApp,
        metrics: HttpMetrics,
        *,
        quiet: frozenset[str] = frozenset(),
        traced: bool = True,
        pace: Pace = Pace(),
    ) -> None:
        self.app, self.metrics, self._quiet, self._traced, self._pace = app, metrics, quiet, traced, pace

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request and account for it; an unexpected exception is logged once, here."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope)
        request_id = given.get("x-request-id", "")
        if not _ACCEPTABLE_ID.fullmatch(request_id):
            request_id = str(ids.uuid7())
        token = logs.request_id.set(request_id)
        started, body = time.perf_counter(), IncomingBody(receive, self._pace)
        sent = _RecordingSend(send, request_id, body if "expect" in given else None)
        self.metrics.active.inc()
        try:
            with self._span(scope, given) as span:
                await self._run(scope, body, sent)
                if span is not None:
                    span.set_attribute("http.response.status_code", sent.status)
                    span.set_attribute("http.route", _route(scope))
        finally:
            self.metrics.active.dec()
            self._account(scope, sent, time.perf_counter() - started)
            logs.request_id.reset(token)

    async def _run(self, scope: Scope, receive: Receive, sent: "_RecordingSend") -> None:
        try:
            check_head(scope)
        except HttpError as error:
            await problem_response(error, Request(scope))(scope, receive, sent)
            return
        try:
            await self.app(scope, receive, sent)
        except Exception:
            _log.exception("request failed", method=scope["method"], path=scope["path"])
            if not sent.complete:  # a broken connection is the only way to signal an incomplete body
                sent.broken = True
                raise

    def _span(self, scope: Scope, headers: Headers) -> Any:
        if not self._traced or scope["path"] in self._quiet:
            return nullcontext()
        return _tracer.start_as_current_span(
            scope["method"],
            context=propagate.extract(dict(headers)),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "url.path": scope["path"]},
        )

    def _account(self, scope: Scope, sent: "_RecordingSend", seconds: float) -> None:
        status = sent.outcome
        self.metrics.duration.labels(scope["method"], _route(scope), str(status)).observe(seconds)
        if code := scope.get(PROBLEM_CODE):
            self.metrics.errors.labels(code).inc()
        if scope["path"] not in self._quiet:
            _log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round(seconds * 1000, 1),
                bytes=sent.bytes,
            )


class _RecordingSend:
    """The `send` callable: adds the headers of every response and records what was sent."""

    def __init__(self, send: Send, request_id: str, expected: IncomingBody | None) -> None:
        self._send, self._request_id, self._expected = send, request_id, expected
        self.status, self.bytes, self.complete, self.broken = 0, 0, False, False

    @property
    def outcome(self) -> int:
        """The status to account for: a response that is incomplete without a failure of ours lost its client."""
        if self.complete:
            return self.status
        return int(HTTPStatus.INTERNAL_SERVER_ERROR) if self.broken else CLIENT_CLOSED_REQUEST

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers["X-Request-Id"] = self._request_id
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("X-Frame-Options", "SAMEORIGIN")
            headers.setdefault("Referrer-Policy", "strict-origin-when-cross-origin")
            if self._expected and not self._expected.is_asked_for:
                # The client waits for a 100 and will not send the body, so what follows may be a body or a request.
                headers["Connection"] = "close"
        elif message["type"] == "http.response.body":
            self.bytes += len(message.get("body", b""))
            self.complete = not message.get("more_body", False)
        await self._send(message)


def _route(scope: Scope) -> str:
    route = scope.get("route")
    return str(getattr(route, "path", "unmatched"))
