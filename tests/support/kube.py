"""A real Kubernetes API for tests: etcd and kube-apiserver, without nodes; controllers on demand."""

import http.client
import json
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from imghost_dev.certificates import Authority, write_key
from imghost_dev.program_cache import Programs, Say
from imghost_dev.programs import ENVTEST_COMMANDS, kubernetes
from support.processes import HOST, Process, accepts, free_port

# Those that act on objects alone. The ones that would play nodes and pods stay away: tests write these statuses.
CONTROLLERS = (
    "garbage-collector-controller",
    "namespace-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
)
_NO_CONDITIONS_SECONDS = 20


class Kube:
    """A control plane on loopback ports with RBAC, its data in a folder that belongs to the caller.

    Attributes: `server` (https URL), `ca` (its authority's certificate), `kubeconfig` (of an administrator).
    """

    def __init__(self, programs: Programs, folder: Path) -> None:
        self._programs, self._folder = programs, folder
        self._authority = Authority(folder)
        self.ca = self._authority.certificate
        self._port, self._etcd_port = free_port(), free_port()
        self.server = f"https://{HOST}:{self._port}"
        self.kubeconfig = self.login("admin", "system:masters")
        self._trust = ssl.create_default_context(cafile=str(self.ca))
        self._apiserver_flags = self._prepare_apiserver()
        self._apiserver: Process | None = None
        self._etcd: Process | None = None

    def start(self) -> None:
        """Start both programs and wait until the API is ready; `stop` ends what was started also when this fails."""
        self._start_etcd()
        self.start_apiserver()

    def login(self, user: str, *groups: str) -> Path:
        """A kubeconfig file for a user in groups, known by a client certificate; what they may do is up to RBAC."""
        pair = self._authority.client(user, groups)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {"name": "test", "cluster": {"server": self.server, "certificate-authority": str(self.ca)}},
            ],
            "users": [
                {
                    "name": user,
                    "user": {"client-certificate": str(pair.certificate), "client-key": str(pair.key)},
                },
            ],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        }
        path = pair.certificate.with_suffix(".kubeconfig")
        path.write_text(json.dumps(config))  # every JSON document is YAML
        return path

    def kubectl(self, *arguments: str, input: str | None = None) -> str:  # noqa: A002 - as subprocess.run names it
        """Run kubectl as administrator and return what it prints; raises AssertionError with its complaint."""
        argv = [str(self._programs.path("kubectl")), f"--kubeconfig={self.kubeconfig}", *arguments]
        done = _run(argv, input)
        deadline = time.monotonic() + _NO_CONDITIONS_SECONDS
        while "accessor error" in done.stderr and time.monotonic() < deadline:
            done = _run(argv, input)  # `wait` fails for a moment: a new CRD has no list of conditions yet
        if done.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def restart_apiserver(self) -> None:
        """End the API server and start it again at the same address with the same data."""
        self.stop_apiserver()
        self.start_apiserver()

    def stop_apiserver(self) -> None:
        """Make the API unreachable."""
        if self._apiserver:
            self._apiserver.stop(within=5)  # it waits a minute for open watches, which no test has time for

    def start_apiserver(self) -> None:
        """Make the API reachable again."""
        argv = [str(self._programs.path("kube-apiserver")), *self._apiserver_flags]
        self._apiserver = Process(argv, self._folder / "apiserver.log")
        self._apiserver.wait_until(self._is_ready, within=90)

    def stop(self) -> None:
        """End all; the API server first, for it lingers when it has lost its etcd."""
        self.stop_apiserver()
        if self._etcd:
            self._etcd.stop()

    def controllers(self) -> "Controllers":
        """The kube-controller-manager of this control plane, not yet started."""
        kubeconfig = self.login("system:kube-controller-manager", "system:masters")
        return Controllers(self._folder, [f"--kubeconfig={kubeconfig}", f"--root-ca-file={self.ca}"])

    def _start_etcd(self) -> None:
        client, peer = f"http://{HOST}:{self._etcd_port}", f"http://{HOST}:{free_port()}"
        flags = [
            f"--data-dir={self._folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        ]
        self._etcd = Process([str(self._programs.path("etcd")), *flags], self._folder / "etcd.log")
        self._etcd.wait_until(lambda: accepts(self._etcd_port), within=60)

    def _prepare_apiserver(self) -> Sequence[str]:
        serving = self._authority.server(["localhost", "kubernetes.default.svc"], [HOST])
        signing = self._folder / "service-accounts.key"
        write_key(ec.generate_private_key(ec.SECP256R1()), signing)
        return [
            f"--etcd-servers=http://{HOST}:{self._etcd_port}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            f"--secure-port={self._port}",
            "--endpoint-reconciler-type=none",  # it refuses to publish a loopback address
            f"--tls-cert-file={serving.certificate}",
            f"--tls-private-key-file={serving.key}",
            f"--client-ca-file={self.ca}",
            "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={signing}",
            f"--service-account-signing-key-file={signing}",
            "--service-cluster-ip-range=10.96.0.0/16",
        ]

    def _is_ready(self) -> bool:
        connection = http.client.HTTPSConnection(HOST, self._port, timeout=2, context=self._trust)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except OSError:
            return False
        finally:
            connection.close()


def controller_programs(say: Say = print) -> Programs:
    """Programs that have the controllers; envtest's, which may serve the API, have not."""
    return kubernetes(say, needs=[*ENVTEST_COMMANDS, "kube-controller-manager"])


class Controllers:
    """kube-controller-manager with CONTROLLERS only."""

    def __init__(self, folder: Path, flags: Sequence[str]) -> None:
        programs = controller_programs()
        self.name = f"{programs}: kube-controller-manager"
        self._port, self._log = free_port(), folder / "controllers.log"
        self._argv = [
            str(programs.path("kube-controller-manager")),
            *flags,
            f"--controllers={','.join(CONTROLLERS)}",
            f"--bind-address={HOST}",
            f"--secure-port={self._port}",
            f"--cert-dir={folder / 'controllers'}",
            "--leader-elect=false",
        ]
        self._process: Process | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        self._process = Process(self._argv, self._log)
        self._process.wait_until(lambda: accepts(self._port), within=60)

    def stop(self) -> None:
        """End it."""
        if self._process:
            self._process.stop()


def _run(argv: Sequence[str], given: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, input=given, capture_output=True, text=True, check=False, timeout=60)
