"""`imghost` as a user runs it: the installed command, in a project folder of its own."""

import json
import os
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

IMGHOST = str(Path(sysconfig.get_path("scripts")) / "imghost")


class Imghost:
    """The installed `imghost` command, run in a project folder of its own."""

    def __init__(self, project: Path) -> None:
        self.project = project

    def __call__(
        self, *args: str, code: int = 0, within: float = 60, typed: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a subcommand to its end and check its exit code."""
        done = subprocess.run(
            self.argv(*args),
            cwd=self.project,
            env=_environment(),
            input=typed,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        assert done.returncode == code, f"imghost {' '.join(args)} gave {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    @staticmethod
    def argv(*args: str) -> list[str]:
        """The command line of a subcommand."""
        return [IMGHOST, *args]

    def manifest(self, **spec: Any) -> Path:
        """Write the manifest of the tenant `demo` with this spec, and one replica of what it leaves out."""
        return self.manifests(demo=spec)

    def manifests(self, **specs: dict[str, Any]) -> Path:
        """Write one manifest of these tenants, in one step as editors do."""
        path = self.project / "tenants.yaml"
        for spec in specs.values():
            for part in ("api", "imaging"):
                spec[part] = {"replicas": 1, **spec.get(part, {})}
        documents = [
            {"apiVersion": "imghost.dev/v1", "kind": "ImageHostTenant", "metadata": {"name": name}, "spec": spec}
            for name, spec in specs.items()
        ]
        scratch = path.with_suffix(".new")
        scratch.write_text("\n---\n".join(json.dumps(document) for document in documents))  # JSON is YAML
        return scratch.replace(path)

    def status(self) -> dict[str, Any]:
        """What `imghost status --json` says, whatever its exit code."""
        done = subprocess.run(
            self.argv("status", "--json"), cwd=self.project, capture_output=True, text=True, timeout=30, check=False
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def tenant(self, name: str = "demo") -> dict[str, Any]:
        """One tenant of the status; an AssertionError while it is not there."""
        found: dict[str, dict[str, Any]] = {tenant["name"]: tenant for tenant in self.status()["tenants"]}
        assert name in found, f"{name} is not among {list(found)}"
        return found[name]

    def ready(self, name: str = "demo") -> dict[str, Any]:
        """The tenant, asserted to be ready and all of its processes with it."""
        tenant = self.tenant(name)
        assert tenant["ready"], tenant["conditions"]
        assert all(pod["ready"] for pod in tenant["pods"]), tenant["pods"]
        return tenant


def _environment() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "120", "NO_COLOR": "1"}
