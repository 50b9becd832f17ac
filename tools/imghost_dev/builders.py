"""The two programs that build images, behind one interface: buildah, which needs no daemon, and docker."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

_STARTS = 5


class BuildFailed(Exception):
    """An image cannot be built or used; the text says why and what to do."""


@dataclass(frozen=True)
class Build:
    """What an image is made from: `secrets` are files seen while it is built and never part of it."""

    tag: str
    dockerfile: Path
    context: Path
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    cached: bool = True  # steps that were done before are not done again
    created: int = 0  # seconds since 1970, of the image and of every file in it: same content, same layers


class Builder(Protocol):
    """One program that builds images."""

    name: str

    def build(self, build: Build) -> None: ...
    def has(self, tag: str) -> bool: ...
    def pull(self, tag: str) -> bool:
        """Fetch a public image; False when it is not available."""

    def save(self, tag: str, archive: Path) -> None:
        """Write the image as `docker save` does."""

    def remove(self, tag: str) -> None:
        """Delete the image, if it exists."""

    def push(self, tag: str) -> None:
        """Send the image to the registry that its name begins with."""

    def size(self, tag: str) -> int:
        """Bytes of all layers, unpacked."""

    def run(self, tag: str, command: Sequence[str], stdin: str) -> str:
        """What the command prints in a container of the image, as the image's own user, without a network."""


def find() -> Builder:
    """Buildah where it is installed, else Docker where its daemon responds."""
    if shutil.which("buildah"):
        return Buildah()
    if docker_answers():
        return Docker()
    raise BuildFailed("neither buildah nor a running Docker is here; install one, e.g. `apt-get install buildah`")


def docker_answers() -> bool:
    """Whether Docker is installed and its daemon runs."""
    return bool(shutil.which("docker")) and _succeeds("docker", "info")


class Buildah:
    """Builds as root without a daemon; `chroot` isolation needs nothing of the machine."""

    name = "buildah"

    def build(self, build: Build) -> None:
        options = ["--isolation=chroot", "--network=host", "--pull-never", "--format=docker", "--layers", "--force-rm"]
        options += [] if build.cached else ["--no-cache"]
        _buildah("build", *options, f"--timestamp={build.created}", *_inputs(build), str(build.context))

    def has(self, tag: str) -> bool:
        return _succeeds("buildah", "inspect", "--type=image", tag)

    def pull(self, tag: str) -> bool:
        return _succeeds("buildah", "pull", "--quiet", "--retry=0", tag)

    def save(self, tag: str, archive: Path) -> None:
        _buildah("push", "--quiet", tag, f"docker-archive:{archive}:{tag}")

    def remove(self, tag: str) -> None:
        _succeeds("buildah", "rmi", tag)

    def push(self, tag: str) -> None:
        _buildah("push", "--quiet", tag)

    def size(self, tag: str) -> int:
        container = _buildah("from", "--pull-never", tag).strip()
        try:
            folder = _buildah("mount", container).strip()
            return int(_run("du", "--summarize", "--bytes", folder).split()[0])
        finally:
            _buildah("rm", container)

    def run(self, tag: str, command: Sequence[str], stdin: str) -> str:
        container = _buildah("from", "--pull-never", tag).strip()
        try:
            return _buildah("run", "--isolation=chroot", container, "--", *command, stdin=stdin)
        finally:
            _buildah("rm", container)


class Docker:
    """Builds by the daemon's BuildKit."""

    name = "docker"

    def build(self, build: Build) -> None:
        options = ["--network=host", f"--build-arg=SOURCE_DATE_EPOCH={build.created}"]
        options += [] if build.cached else ["--no-cache"]
        _run("docker", "build", *options, *_inputs(build), str(build.context))

    def has(self, tag: str) -> bool:
        return _succeeds("docker", "image", "inspect", tag)

    def pull(self, tag: str) -> bool:
        return _succeeds("docker", "pull", "--quiet", tag)

    def save(self, tag: str, archive: Path) -> None:
        _run("docker", "save", f"--output={archive}", tag)

    def remove(self, tag: str) -> None:
        _succeeds("docker", "image", "rm", tag)

    def push(self, tag: str) -> None:
        _run("docker", "push", "--quiet", tag)

    def size(self, tag: str) -> int:
        return int(_run("docker", "image", "inspect", "--format={{.Size}}", tag))

    def run(self, tag: str, command: Sequence[str], stdin: str) -> str:
        return _run(
            "docker", "run", "--rm", "--interactive", "--network=none", "--read-only", "--tmpfs=/tmp",
            "--entrypoint", command[0], tag, *command[1:], stdin=stdin,
        )  # fmt: skip


def _buildah(*arguments: str, stdin: str | None = None) -> str:
    """Run buildah, again when it could not even start.

    It runs each step from a sealed copy of itself in memory, and the kernel refuses the seal while it moves a page.
    """
    for _ in range(_STARTS - 1):
        try:
            return _run("buildah", *arguments, stdin=stdin)
        except BuildFailed as error:
            if "sealing memfd copy" not in str(error):
                raise
    return _run("buildah", *arguments, stdin=stdin)


def _inputs(build: Build) -> list[str]:
    arguments = [f"--build-arg={name}={value}" for name, value in build.arguments.items()]
    secrets = [f"--secret=id={name},src={path}" for name, path in build.secrets.items()]
    return [f"--file={build.dockerfile}", f"--tag={build.tag}", *arguments, *secrets]


def _succeeds(*argv: str) -> bool:
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def _run(*argv: str, stdin: str | None = None) -> str:
    env = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, env=env)
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).splitlines()[-25:])
        raise BuildFailed(f"{' '.join(argv[:2])} failed with {done.returncode}; its last words:\n{end}")
    return done.stdout
