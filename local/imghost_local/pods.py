"""One pod: an address, a folder, a log, and a process that runs its container."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imghost_local import processes
from imghost_local.addresses import Addresses, bindable
from imghost_local.environment import Lookup, MissingReference, environment, expand
from imghost_local.postgres import free_port
from imghost_local.probes import Health
from imghost_operator.platform import Object

_BACKOFF_FIRST, _BACKOFF_MOST, _RAN_WELL = 0.2, 30.0, 60.0
_INHERITED = ("SSL_CERT_FILE", "SSL_CERT_DIR")


@dataclass(frozen=True, slots=True)
class PodContext:
    """What pods need: the folders of their files and logs, the addresses, and how references are looked up."""

    pods: Path
    logs: Path
    addresses: Addresses
    lookup: Callable[[str], Lookup]


class Pod:
    """A running template. `on_change` is called whenever it becomes ready or stops being so."""

    def __init__(
        self, name: str, namespace: str, template: Object, context: PodContext, on_change: Callable[[], None]
    ) -> None:
        self.name, self.namespace, self.template = name, namespace, template
        self.restarts, self.ending, self.message = 0, False, ""
        self._container: Object = template["spec"]["containers"][0]
        self._context, self._on_change = context, on_change
        self.address = context.addresses.take()
        self._folder = context.pods / namespace / name
        self._ports: dict[int, int] = {}
        self._health: Health | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def ready(self) -> bool:
        """Whether it receives requests."""
        return bool(self._health and self._health.ready and not self.ending)

    @property
    def pid(self) -> int | None:
        """The process id, while the process runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def port(self, wanted: str | int) -> int:
        """The address on which it listens for a container port, given by name or number."""
        by_name = {port.get("name"): port["containerPort"] for port in self._container.get("ports", [])}
        number = int(by_name.get(wanted, wanted))
        return self._ports.get(number, number)

    async def once(self) -> int:
        """Run the container to its end; returns the exit code."""
        self._start()
        assert self._process is not None  # noqa: S101 - `_start` sets it or raises
        return await processes.wait_for_exit(self._process)

    async def keep_running(self) -> None:
        """Run the container, again and again with growing pauses, until cancelled."""
        pause = _BACKOFF_FIRST
        while True:
            started = time.monotonic()
            try:
                self._start()
                self.message = await self._until_it_ends()
            except (OSError, MissingReference) as error:
                self.message = str(error)
            self._health = None
            self._on_change()
            pause = _BACKOFF_FIRST if time.monotonic() - started > _RAN_WELL else pause
            await asyncio.sleep(pause)
            pause, self.restarts = min(2 * pause, _BACKOFF_MOST), self.restarts + 1

    async def end(self) -> None:
        """End the process within the template's grace period, and remove its folder and address. Its `preStop` pause is
        skipped: it gives the proxies of a cluster time to react; ours are updated already.
        """
        self.ending = True
        if self._process is not None:
            await processes.stop(self._process, number=signal.SIGTERM, within=self._grace)
        shutil.rmtree(self._folder, ignore_errors=True)
        self._context.addresses.release(self.address)

    @property
    def _grace(self) -> float:
        return float(self.template["spec"].get("terminationGracePeriodSeconds", 30))

    async def _until_it_ends(self) -> str:
        """Why it ended: by itself, or because of its probes."""
        assert self._process is not None  # noqa: S101 - called after `_start`
        self._health = Health(self._container, self.address, self.port, self._on_change)
        ended = asyncio.create_task(processes.wait_for_exit(self._process))
        failing = asyncio.create_task(self._health.watch())
        try:
            await asyncio.wait((ended, failing), return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return _cause(ended.result())
            self._health = None
            self._on_change()
            await processes.stop(self._process, number=signal.SIGTERM, within=self._grace)
            return failing.result()
        finally:
            ended.cancel()
            failing.cancel()

    def _start(self) -> None:
        scratch = self._folder / "tmp"
        shutil.rmtree(self._folder, ignore_errors=True)
        scratch.mkdir(mode=0o700, parents=True)
        variables = environment(self._container, self._context.lookup(self.namespace), self._fields())
        self._ports = self._assign_ports()
        values = _base() | {"HOME": str(self._folder), "TMPDIR": str(scratch)} | _with_ports(variables, self._ports)
        argv = [expand(part, values) for part in (*self._container["command"], *self._container.get("args", []))]
        argv[0] = _program(argv[0], values["PATH"])
        log = self._context.logs / self.namespace / f"{self.name}.log"
        self._process = processes.start(argv, env=values, cwd=self._folder, log=log)

    def _fields(self) -> dict[str, str]:
        metadata = self.template.get("metadata", {})
        found = {
            "status.podIP": self.address,
            "status.hostIP": "127.0.0.1",
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "spec.nodeName": "localhost",
        }
        for kind in ("labels", "annotations"):
            found |= {f"metadata.{kind}['{name}']": value for name, value in metadata.get(kind, {}).items()}
        return found

    def _assign_ports(self) -> dict[int, int]:
        """Container port → port: the same, unless another program listens on it on all addresses of the machine."""
        numbers = [port["containerPort"] for port in self._container.get("ports", [])]
        return {number: number if bindable(self.address, number) else free_port() for number in numbers}


def _with_ports(variables: Mapping[str, str], ports: Mapping[int, int]) -> dict[str, str]:
    """The variables, those that set a port which is taken (PORT, OPS_PORT) set to where the pod listens instead."""
    moved = {str(number): str(place) for number, place in ports.items() if number != place}
    return {name: moved.get(value, value) if name.endswith("PORT") else value for name, value in variables.items()}


def _base() -> dict[str, Any]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {"PATH": f"{sysconfig.get_path('scripts')}{os.pathsep}{os.defpath}", "LANG": "C.UTF-8", **inherited}


def _program(name: str, path: str) -> str:
    """The file to run; `python`, as the images call theirs, is the Python that runs this."""
    return sys.executable if name == "python" else shutil.which(name, path=path) or name


def _cause(code: int) -> str:
    return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
