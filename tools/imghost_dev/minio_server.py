"""How the real MinIO is started, for tests and measurements."""

from pathlib import Path

from imghost_dev.program_cache import Programs

ACCESS_KEY = "imghost-root"


def command(programs: Programs, address: str, data: Path, certificates: Path | None = None) -> list[str | Path]:
    """The command line of a server at `address` (host:port) with its objects in `data`.

    It serves TLS when the folder `certificates` has `public.crt` and `private.key`.
    """
    tls: list[str | Path] = ["--certs-dir", certificates] if certificates else []
    return [programs.path("minio"), "server", "--quiet", "--address", address, *tls, data]


def environment(secret_key: str) -> dict[str, str]:
    """The variables it needs; `secret_key` belongs to `ACCESS_KEY`."""
    return {
        "MINIO_ROOT_USER": ACCESS_KEY,
        "MINIO_ROOT_PASSWORD": secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",  # or it asks the outside whether it is the newest
    }
