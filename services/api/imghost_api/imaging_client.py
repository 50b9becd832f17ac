"""The client of the imaging service: the only place that sends it requests."""

import httpx
from opentelemetry import propagate
from pydantic import ValidationError

from imghost_api.settings import ApiSettings
from imghost_core import logs
from imghost_core.contract.ingest import INGEST_PATH, Ingested, IngestRequest
from imghost_core.errors import HttpError, Unavailable

_IMAGE_ERRORS = {413, 415, 422}  # about the image, so for the caller; any other status is between api and imaging
_CONNECT_SECONDS = 2.0
_CONNECT_RETRIES = 3  # after 0, 0.5 and 1 s: a Service may route to a deleted pod for about a second
_log = logs.get("imghost.imaging")


class ImageRejected(HttpError):
    """Imaging's error about an image, passed on to the caller unchanged."""

    def __init__(self, status: int, title: str, detail: str, code: str) -> None:
        super().__init__(detail, code=code)
        self.status, self.title = status, title


class ImagingUnavailable(Unavailable):
    """The imaging service is unreachable."""

    code, title = "imaging_unavailable", "Imaging unavailable"

    def __init__(self) -> None:
        super().__init__("Images cannot be processed right now. Send this one again shortly.")


class ImagingFailed(HttpError):
    """The imaging service failed because of an internal error, which is not temporary: the same image fails again."""

    def __init__(self) -> None:
        super().__init__(
            "The image could not be processed because of an internal error. Nothing was stored. "
            "Upload another copy of it; if that fails too, report the request id to the operators of this service."
        )


class ImagingClient:
    """Sends originals to imaging."""

    def __init__(self, settings: ApiSettings) -> None:
        self._token = settings.internal_token
        limits = httpx.Limits(max_connections=settings.upload_concurrency, max_keepalive_connections=8)
        self._client = httpx.AsyncClient(
            base_url=settings.imaging_url,
            timeout=httpx.Timeout(settings.imaging_timeout_seconds, connect=_CONNECT_SECONDS),
            transport=httpx.AsyncHTTPTransport(limits=limits, retries=_CONNECT_RETRIES),
            trust_env=False,
        )

    async def ingest(self, request: IngestRequest) -> Ingested:
        """Have an original checked and its variants made.

        Raises `ImageRejected`, `ImagingFailed`, or `Unavailable` when imaging is unreachable or overloaded.
        """
        headers = {
            "Authorization": f"Bearer {self._token.get_secret_value()}",
            "Content-Type": "application/json",
            "X-Request-Id": logs.request_id.get(),
        }
        propagate.inject(headers)
        try:
            response = await self._client.post(INGEST_PATH, content=request.model_dump_json(), headers=headers)
        except httpx.HTTPError as error:
            _log.warning("imaging is unreachable", reason=type(error).__name__)
            raise ImagingUnavailable from error
        return _read(response)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


def _read(response: httpx.Response) -> Ingested:
    try:
        if response.status_code == httpx.codes.OK:
            return Ingested.model_validate_json(response.content)
        problem = response.json()
        if response.status_code in _IMAGE_ERRORS:
            raise ImageRejected(
                response.status_code, str(problem["title"]), str(problem["detail"]), str(problem["code"])
            )
        if response.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            wait = int(response.headers.get("Retry-After", 2))
            raise Unavailable(str(problem["detail"]), retry_after=wait, code=str(problem["code"]))
    except (ValidationError, ValueError, KeyError, TypeError) as error:
        _log.error("imaging sent an unreadable response", status=response.status_code)
        raise ImagingUnavailable from error
    if response.status_code == httpx.codes.INTERNAL_SERVER_ERROR:
        raise ImagingFailed
    _log.error("imaging rejected the internal request", status=response.status_code)
    raise ImagingUnavailable
