"""The packages whose test images are rendered, and how they are fetched into the cache of this user."""

import json
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imghost_dev.program_cache import ProgramMissing, Say, cache

Registry = Literal["pypi", "go", "npm", "go-std"]
DECODER = ("pillow==13.0.0", "numpy==2.4.6")
"""The other decoder, in an environment of its own."""
_BUILD = ("setuptools>=77", "wheel", "pybind11")  # pip asks a source archive for its metadata


@dataclass(frozen=True)
class Package:
    """One version of a package that contains images; those of Go's standard library are of the installed version."""

    registry: Registry
    name: str
    version: str

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


PACKAGES = (
    Package("pypi", "pillow", "13.0.0"),
    Package("pypi", "pillow-heif", "1.8.1"),
    Package("pypi", "thumbor", "7.8.0"),
    Package("pypi", "wand", "0.7.2"),
    Package("go-std", "image", "installed"),  # it has the PNG suite
    Package("go", "golang.org/x/image", "v0.48.0"),
    Package("go", "github.com/bep/imagemeta", "v1.0.1"),
    Package("go", "github.com/chai2010/webp", "v1.4.0"),
    Package("go", "github.com/dsoprea/go-exif/v3", "v3.0.1"),
    Package("go", "github.com/evanoberholster/imagemeta", "v0.3.1"),
    Package("go", "github.com/gen2brain/avif", "v0.4.4"),
    Package("go", "github.com/gen2brain/webp", "v0.5.5"),
    Package("go", "github.com/davidbyttow/govips/v2", "v2.16.0"),
    Package("go", "github.com/kovidgoyal/imaging", "v1.9.0"),
    Package("go", "github.com/disintegration/imaging", "v1.6.2"),
    Package("go", "github.com/h2non/bimg", "v1.1.9"),
    Package("go", "github.com/anthonynsimon/bild", "v0.14.0"),
    Package("go", "github.com/rwcarlsen/goexif", "v0.0.0-20190401172101-9e8deecbddbd"),
    Package("npm", "exif-js", "2.3.0"),
    Package("npm", "exif-parser", "0.1.12"),
    Package("npm", "gifuct-js", "2.1.2"),
    Package("npm", "jpeg-exif", "1.1.4"),
    Package("npm", "lwip", "0.0.9"),
)


def folder() -> Path:
    """Where packages, images and the other decoder are kept."""
    path = cache() / "corpus"
    path.mkdir(parents=True, exist_ok=True)
    return path


def decoder_python(say: Say) -> Path:
    """The interpreter that has the other decoder; installed when it is first needed."""
    python = folder() / "decoder" / "bin" / "python"
    if not (folder() / "decoder" / "ready").exists():
        say("installing the other decoder, once for this machine")
        _run([sys.executable, "-m", "venv", str(python.parents[1])])
        _run([str(python), "-m", "pip", "install", "--quiet", "--only-binary=:all:", *DECODER, *_BUILD])
        (folder() / "decoder" / "ready").touch()
    return python


def read_files(package: Package, say: Say) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of `package`, which is downloaded when it is not in the cache."""
    match package.registry:
        case "go":
            return _read_folder(_module_folder(package))
        case "go-std":
            return _read_folder(Path(_run(["go", "env", "GOROOT"]).strip()) / "src" / package.name)
        case "npm":
            return _read_archive(_npm_archive(package, say))
        case "pypi":
            return _read_archive(_source_archive(package, say))


def _read_folder(root: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(root.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(root)), path.read_bytes()


def _read_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(path) as archive:
        for member in archive:
            if member.isfile() and (content := archive.extractfile(member)):
                yield member.name, content.read()


def _module_folder(package: Package) -> Path:
    module = f"{package.name}@{package.version}"
    return Path(json.loads(_run(["go", "mod", "download", "-json", module]))["Dir"])


def _npm_archive(package: Package, say: Say) -> Path:
    path = folder() / f"{package.name}-{package.version}.tgz"
    if not path.exists():
        say(f"downloading {package}")
        _run(["npm", "pack", "--silent", "--pack-destination", str(folder()), f"{package.name}@{package.version}"])
    return path


def _source_archive(package: Package, say: Say) -> Path:
    path = folder() / f"{package.name.replace('-', '_')}-{package.version}.tar.gz"
    if not path.exists():
        say(f"downloading {package}")
        options = ["--quiet", "--no-binary=:all:", "--no-deps", "--no-build-isolation", "--dest", str(folder())]
        _run([str(decoder_python(say)), "-m", "pip", "download", *options, f"{package.name}=={package.version}"])
    return path


def _run(command: list[str]) -> str:
    """The output of a command; raises ProgramMissing with what it says."""
    try:
        done = subprocess.run(command, cwd=folder(), capture_output=True, text=True, timeout=600, check=True)
    except FileNotFoundError as error:
        raise ProgramMissing(f"{command[0]} is not on PATH; install it to fetch the packages of the corpus") from error
    except subprocess.CalledProcessError as error:
        raise ProgramMissing(f"`{' '.join(command)}` failed:\n{error.stderr.strip()[-2000:]}") from error
    return done.stdout
