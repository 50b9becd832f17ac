"""The door to the imaging service: the only place that sends it requests."""

import httpx
from opentelemetry import propagate
from pydantic import ValidationError

from imghost_api.settings import ApiSettings
from imghost_core import logs
from imghost_core.errors import ImghostError, Unavailable
from imghost_core.ingest import INGEST_PATH, Ingested, IngestRequest

_PASSED_ON = {413, 415, 422}  # verdicts on the picture; any other status is between us and imaging
_CONNECT_SECONDS = 2.0
_CONNECTS_AGAIN = 3  # after 0, 0.5 and 1 s: a Service may point to a pod that has gone, for about a second
_log = logs.get("imghost.imaging")


class Refused(ImghostError):
    """Imaging's verdict on a picture, passed on to the caller unchanged."""

    def __init__(self, status: int, title: str, detail: str, code: str) -> None:
        super().__init__(detail, code=code)
        self.status, self.title = status, title


class Imaging:
    """Asks imaging to judge originals."""

    def __init__(self, settings: ApiSettings) -> None:
        self._token = settings.internal_token
        limits = httpx.Limits(max_connections=settings.upload_concurrency, max_keepalive_connections=8)
        self._client = httpx.AsyncClient(
            base_url=settings.imaging_url,
            timeout=httpx.Timeout(settings.imaging_timeout_seconds, connect=_CONNECT_SECONDS),
            transport=httpx.AsyncHTTPTransport(limits=limits, retries=_CONNECTS_AGAIN),
            trust_env=False,
        )

    async def ingest(self, request: IngestRequest) -> Ingested:
        """Have an original judged and its variants made.

        Raises `Refused` with imaging's verdict, `Unavailable` when it cannot be asked or is overloaded.
        """
        headers = {
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "Content-Type": "application/json",
            "X-Request-Id": logs.request_id.get(),
        }
        propagate.inject(headers)
        try:
            answer = await self._client.post(INGEST_PATH, content=request.model_dump_json(), headers=headers)
        except httpx.HTTPError as error:
            _log.warning("imaging is out of reach", reason=type(error).__name__)
            raise Unavailable("Pictures cannot be processed right now. Send this one again shortly.") from error
        return _read(answer)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _read(answer: httpx.Response) -> Ingested:
    try:
        if answer.status_code == httpx.codes.OK:
            return Ingested.model_validate_json(answer.content)
        told = answer.json()
        if answer.status_code in _PASSED_ON:
            raise Refused(answer.status_code, str(told["title"]), str(told["detail"]), str(told["code"]))
        if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            wait = int(answer.headers.get("Retry-After", 2))
            raise Unavailable(str(told["detail"]), retry_after=wait, code=str(told["code"]))
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        _log.error("imaging gave an answer we cannot read", status=answer.status_code)
        raise Unavailable("Pictures cannot be processed right now. Send this one again shortly.") from error
    _log.error("imaging refused to work for us", status=answer.status_code)
    raise Unavailable("Pictures cannot be processed right now. Send this one again shortly.")
