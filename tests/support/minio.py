"""A real MinIO server for tests."""

import secrets
import signal
import ssl
import urllib.request
from pathlib import Path

from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from imghost_dev import minio_server
from imghost_dev.certificates import Authority
from imghost_dev.program_cache import Programs
from support.processes import HOST, Process, free_port


class Minio:
    """MinIO on a loopback port, its data in a folder that belongs to the caller.

    Attributes: `endpoint` (http://127.0.0.1:port) and the root credentials `access_key`, `secret_key`. With an
    `authority` it serves TLS (https://…) with a certificate that this authority signed.
    """

    def __init__(self, programs: Programs, folder: Path, authority: Authority | None = None) -> None:
        self.access_key = minio_server.ACCESS_KEY
        self.secret_key = secrets.token_urlsafe(24)
        self.port = free_port()
        self.endpoint = f"{'https' if authority else 'http'}://{HOST}:{self.port}"
        self._tls = ssl.create_default_context(cafile=authority.certificate) if authority else None
        certificates = _certificates(authority, folder) if authority else None
        self._argv = minio_server.command(programs, f"{HOST}:{self.port}", folder / "data", certificates)
        self._log, self._settings = folder / "minio.log", minio_server.environment(self.secret_key)
        self._process: Process | None = None

    def start(self) -> None:
        """Serve, at the same address and with the same data as before a `stop`."""
        self._process = Process(self._argv, self._log, env=self._settings)
        self._process.wait_until(self._is_ready, within=60)

    def admin(self) -> MinioAdmin:
        """Its users and policies."""
        provider = StaticProvider(self.access_key, self.secret_key)
        return MinioAdmin(endpoint=f"{HOST}:{self.port}", credentials=provider, region="us-east-1", secure=False)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server, with SIGKILL as a crash would; the data stays."""
        if self._process:
            self._process.stop(how)

    def _is_ready(self) -> bool:
        """Whether it serves objects. It accepts connections earlier, but answers 503 with a Retry-After of a minute."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/minio/health/cluster", timeout=5, context=self._tls):
                return True
        except OSError:
            return False


def _certificates(authority: Authority, folder: Path) -> Path:
    """A folder with a key pair under the names that MinIO looks for."""
    pair, made = authority.server([], [HOST], file="minio"), folder / "certificates"
    made.mkdir()
    pair.certificate.rename(made / "public.crt")
    pair.key.rename(made / "private.key")
    return made
