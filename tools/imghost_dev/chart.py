"""The chart as Helm renders it, and the two files that are made from it or for it.

`python -m imghost_dev chart write` renews these files, `… check` fails when they are not current.
"""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from imghost_dev import programs

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "imghost"
CRD = ROOT / "crds" / "imagehosttenants.imghost.dev.yaml"
CHART_CRD = CHART / "files" / "crds" / CRD.name
INSTALL = ROOT / "manifests" / "install.yaml"
NAMESPACE = "imghost-system"
KUBERNETES = programs.KUBERNETES_VERSION

Object = dict[str, Any]

_HEADER = f"""\
# The operator of imghost and its CRD: charts/imghost with its defaults, rendered by `make manifests`; not to be edited.
#
# Before: make the Secrets that it reads, in the namespace {NAMESPACE}; see the header of charts/imghost/values.yaml.
# Apply:  kubectl apply --server-side -f install.yaml
# Remove: kubectl delete imagehosttenants --all, and when that has ended kubectl delete -f install.yaml. The other way
#         round no operator would be there to finish the deletion of the tenants.
apiVersion: v1
kind: Namespace
metadata:
  name: {NAMESPACE}
  labels:
    app.kubernetes.io/part-of: imghost
    pod-security.kubernetes.io/enforce: restricted
"""


class HelmFailed(AssertionError):
    """Helm failed; the text is its error message."""


class Helm:
    """The `helm` program; `flags` go with every command."""

    def __init__(self, program: Path, *flags: str) -> None:
        self._argv = [str(program), *flags]

    def at(self, *flags: str) -> "Helm":
        """The same program with other flags, for a cluster."""
        program, *_ = self._argv
        return Helm(Path(program), *flags)

    def command(self, *arguments: str | Path) -> list[str]:
        """The command line."""
        return [*self._argv, *map(str, arguments)]

    def run(self, *arguments: str | Path) -> str:
        """The output of a command; raises HelmFailed."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise HelmFailed(f"helm {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done.stdout

    def template(self, *flags: str | Path, release: str = "imghost", namespace: str = NAMESPACE) -> str:
        """The chart's objects as one YAML text; without a cluster, as one of version KUBERNETES would get them."""
        return self.run("template", release, CHART, f"--namespace={namespace}", f"--kube-version={KUBERNETES}", *flags)

    def objects(self, *flags: str | Path, release: str = "imghost", namespace: str = NAMESPACE) -> list[Object]:
        """The chart's objects."""
        return parse(self.template(*flags, release=release, namespace=namespace))


def parse(text: str) -> list[Object]:
    """The objects of a YAML stream."""
    return [obj for obj in yaml.load_all(text, yaml.CSafeLoader) if obj]


def one(objects: Sequence[Object], kind: str, name: str) -> Object:
    """The object of this kind and name."""
    (found,) = [obj for obj in objects if obj["kind"] == kind and obj["metadata"]["name"] == name]
    return found


def generate(helm: Helm) -> dict[Path, str]:
    """The content that the generated files should have."""
    objects = helm.template("--no-hooks")
    # Versions of Helm differ in the blank lines between objects.
    return {CHART_CRD: CRD.read_text(), INSTALL: _HEADER + re.sub(r"\n+---\n", "\n---\n", objects)}


def main(arguments: Sequence[str]) -> None:
    """Write the files, or exit with 1 when they are not current."""
    helm, verb = Helm(programs.helm(_say).path("helm")), list(arguments)
    if verb not in (["write"], ["check"]):
        sys.exit(__doc__)
    CHART_CRD.parent.mkdir(parents=True, exist_ok=True)
    if verb == ["write"]:
        CHART_CRD.write_text(CRD.read_text())  # the chart is rendered with it
    for path, text in generate(helm).items():
        if verb == ["write"]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            sys.exit(f"error: {path.relative_to(ROOT)} is not current; run `make manifests`")


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - progress of a build
