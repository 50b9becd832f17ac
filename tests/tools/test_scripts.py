"""The small tools of `make` and of the continuous integration."""

import subprocess
import sys
from pathlib import Path

import pytest

from imghost_dev import addresses, alone


def _alone(command: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, alone.__file__, "sh", "-c", command]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_a_process_left_behind_fails_the_run() -> None:
    """What a step started and did not end is named and ended, also when it hid in a session of its own."""
    done = _alone("setsid sleep 1234 & exit 0")
    assert done.returncode == 1
    assert "left running, ended now: sleep 1234" in done.stderr


@pytest.mark.parametrize("status", [0, 3])
def test_a_clean_run_keeps_its_exit_code(status: int) -> None:
    """With nothing left the outcome is the command's own."""
    done = _alone(f"sleep 0 & exit {status}")
    assert (done.returncode, done.stderr) == (status, "")


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("README.md", "see https://" + "pypi" + ".org/simple"),
        ("docs/a.md", "GOPROXY=" + "proxy" + ".golang.org"),
        ("requirements/api.txt", "--index-url https://index.example/simple"),
        ("tools/imghost_dev/kube-programs/go.sum", "http://modules.example/"),
        ("docs/a.md", "cd /the/checkout/docs"),
    ],
)
def test_addresses_of_one_place_are_found(path: str, line: str) -> None:
    """Package indexes anywhere, any address in a lock file and the folders of this machine are refused."""
    assert len(list(addresses.faults(Path(path), f"fine\n{line}\n", ["/the/checkout/"]))) == 1


def test_ordinary_addresses_are_no_fault() -> None:
    """Links in documents, import paths in lock files and folders that all machines have are fine."""
    faults = addresses.faults
    assert not list(faults(Path("README.md"), "https://kubernetes.io/docs and /tmp/cache", ["/the/checkout/"]))
    assert not list(faults(Path("go.sum"), "golang.org/x/net v0.1.0 h1:abc=", ["/the/checkout/"]))
