"""Credentials from a program that a kubeconfig names: client-go's credential plugins (client.authentication.k8s.io).

The program gets what it may need in `KUBERNETES_EXEC_INFO` and prints an `ExecCredential` with a token, a client
certificate, or both. It runs again when the credential expires or the API server rejects it.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from imghost_core.errors import ImghostError

VERSIONS = tuple(f"client.authentication.k8s.io/{version}" for version in ("v1", "v1beta1"))
_EXTENSION = "client.authentication.k8s.io/exec"
_TIMEOUT_SECONDS = 60.0
_EARLY = timedelta(seconds=10)


class BadKubeconfig(ImghostError):
    """The kubeconfig, or the pod's service account, lacks a usable address or credential."""

    code = "bad_kubeconfig"


@dataclass(frozen=True, slots=True)
class ExecCredential:
    """What a plugin returned; without `expires` it is valid until the API server rejects it."""

    token: str | None = field(default=None, repr=False)
    certificate: str | None = field(default=None, repr=False)
    private_key: str | None = field(default=None, repr=False)
    expires: datetime | None = None


class ExecPlugin:
    """The `exec` part of a user in a kubeconfig in `folder`; `cluster` is passed to plugins that ask for it."""

    def __init__(self, config: Mapping[str, Any], cluster: Mapping[str, Any], folder: Path) -> None:
        self._version = config.get("apiVersion")
        if self._version not in VERSIONS:
            raise BadKubeconfig(f"its exec plugin asks for {self._version}; use {' or '.join(VERSIONS)}.")
        command = str(config["command"])
        self._argv = [str(folder / command) if os.sep in command else command, *map(str, config.get("args") or ())]
        self._env = {str(item["name"]): str(item["value"]) for item in config.get("env") or ()}
        self._hint = str(config.get("installHint") or "").strip().partition("\n")[0]
        self._cluster = cluster if config.get("provideClusterInfo") else None
        self._mode = config.get("interactiveMode", "IfAvailable")
        self._lock = threading.Lock()
        self._current: ExecCredential | None = None

    def credential(self) -> ExecCredential:
        """The current credential; runs the program when there is none or it is about to expire, which blocks.

        Raises `BadKubeconfig` when the program fails.
        """
        with self._lock:
            if self._current is None or self.is_due:
                self._current = self._run()
            return self._current

    @property
    def is_due(self) -> bool:
        """Whether the program has to run: there is no credential, or it is about to expire."""
        found = self._current
        return found is None or bool(found.expires and datetime.now(UTC) + _EARLY >= found.expires)

    def forget(self) -> None:
        """Run the program again at the next request: the API server rejected its credential."""
        self._current = None

    def _run(self) -> ExecCredential:
        is_interactive = self._mode != "Never" and sys.stdin is not None and sys.stdin.isatty()
        if self._mode == "Always" and not is_interactive:
            raise BadKubeconfig(f"the exec plugin {self._argv[0]} needs a terminal; use a login without one.")
        info = {"apiVersion": self._version, "kind": "ExecCredential", "spec": {"interactive": is_interactive}}
        if self._cluster is not None:
            info["spec"] = {"interactive": is_interactive, "cluster": _cluster_info(self._cluster)}
        try:
            done = subprocess.run(
                self._argv,
                env={**os.environ, **self._env, "KUBERNETES_EXEC_INFO": json.dumps(info)},
                stdin=None if is_interactive else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                check=True,
                timeout=_TIMEOUT_SECONDS,
            )
        except (OSError, subprocess.SubprocessError) as error:
            hint = f" {self._hint}" if self._hint else ""
            raise BadKubeconfig(f"the exec plugin {self._argv[0]} failed ({_reason(error)}).{hint}") from None
        return self._read(done.stdout)

    def _read(self, output: bytes) -> ExecCredential:
        """The credential in the program's output, which is a secret and never shown."""
        try:
            response = json.loads(output)
            status = response["status"]
            expires = status.get("expirationTimestamp")
            found = ExecCredential(
                status.get("token"),
                status.get("clientCertificateData"),
                status.get("clientKeyData"),
                datetime.fromisoformat(expires) if expires else None,
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadKubeconfig(f"the exec plugin {self._argv[0]} printed no ExecCredential.") from None
        if response.get("apiVersion") != self._version:
            raise BadKubeconfig(f"the exec plugin {self._argv[0]} printed another version than {self._version}.")
        if not found.token and not (found.certificate and found.private_key):
            raise BadKubeconfig(f"the exec plugin {self._argv[0]} printed neither a token nor a client certificate.")
        return found


def _cluster_info(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """The part of the cluster that plugins get, with the settings for them that the kubeconfig keeps there."""
    extensions = {item["name"]: item.get("extension") for item in cluster.get("extensions") or ()}
    names = ("server", "certificate-authority-data")
    return {**{name: cluster[name] for name in names if name in cluster}, "config": extensions.get(_EXTENSION)}


def _reason(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"exit code {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"no response within {_TIMEOUT_SECONDS:.0f} s"
    return str(getattr(error, "strerror", None) or error)
