"""A real MinIO server for tests."""

import secrets
import signal
from pathlib import Path

from minio.credentials.providers import StaticProvider
from minio.minioadmin import MinioAdmin

from imghost_dev.program_cache import Programs
from support.processes import HOST, Process, accepts, free_port


class Minio:
    """MinIO on a loopback port, its data in a folder that belongs to the caller.

    Attributes: `endpoint` (http://127.0.0.1:port) and the root credentials `access_key`, `secret_key`.
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        self.access_key = "imghost-root"
        self.secret_key = secrets.token_urlsafe(24)
        self.port = free_port()
        self.endpoint = f"http://{HOST}:{self.port}"
        settings = {
            "MINIO_ROOT_USER": self.access_key,
            "MINIO_ROOT_PASSWORD": self.secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",  # or it asks the outside whether it is the newest
        }
        self._argv: list[str | Path] = [
            programs.path("minio"),
            "server",
            "--quiet",
            "--address",
            f"{HOST}:{self.port}",
            folder / "data",
        ]
        self._log, self._settings = folder / "minio.log", settings
        self._process: Process | None = None

    def start(self) -> None:
        """Serve, at the same address and with the same data as before a `stop`."""
        self._process = Process(self._argv, self._log, env=self._settings)
        self._process.wait_until(lambda: accepts(self.port), within=60)

    def admin(self) -> MinioAdmin:
        """Its users and policies."""
        provider = StaticProvider(self.access_key, self.secret_key)
        return MinioAdmin(endpoint=f"{HOST}:{self.port}", credentials=provider, region="us-east-1", secure=False)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server, with SIGKILL as a crash would; the data stays."""
        if self._process:
            self._process.stop(how)
