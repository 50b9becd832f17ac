"""What the cluster's providers and the images are made of, as far as it needs no node."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path

import pytest
import yaml

from imghost_dev.builders import Buildah, BuildFailed
from imghost_dev.cluster.existing import ALLOWED, Existing
from imghost_dev.cluster.kind import Kind
from imghost_dev.cluster.kubectl import manifest
from imghost_dev.cluster.local.network import RANGE, free_subnet
from imghost_dev.cluster.provider import ClusterError, Times
from imghost_dev.images import CHECKOUT, DOCKERFILE, Recipe

REFUSED = "is not one that may be changed"


def _kubeconfig(folder: Path, context: str) -> Path:
    path = folder / "config"
    path.write_text(json.dumps({"current-context": context}))
    return path


@pytest.mark.parametrize("allowed", ["", "other", "prod", "production-eu"])
def test_an_unknown_cluster_is_refused(allowed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is done to a cluster whose context the user did not name in full, since it may be a production one."""
    monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(tmp_path, "production")))
    monkeypatch.setenv(ALLOWED, allowed)
    with pytest.raises(ClusterError, match=REFUSED):
        Existing().up(Times())


def test_an_allowed_cluster_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A context on the list is taken as meant, whatever else is on the list."""
    file = _kubeconfig(tmp_path, "staging")
    monkeypatch.setenv("KUBECONFIG", str(file))
    monkeypatch.setenv(ALLOWED, "test,staging")
    assert Existing().kubeconfig == file


def test_a_cluster_of_others_is_never_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What we did not make we do not remove, even when we may change it."""
    monkeypatch.setenv("KUBECONFIG", str(_kubeconfig(tmp_path, "staging")))
    monkeypatch.setenv(ALLOWED, "staging")
    with pytest.raises(ClusterError, match="not removed"):
        Existing().down()


def test_kind_names_its_missing_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its programs the provider kind has no cluster, and asked for one it names what is missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not Kind().is_up()
    with pytest.raises(ClusterError, match="`kind` on PATH"):
        Kind().up(Times())


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ([], "10.213.0.0/30"),
        (["192.168.0.0/16"], "10.213.0.0/30"),
        (["10.213.0.0/30", "10.213.0.4/30"], "10.213.0.8/30"),
        (["10.213.0.2/32"], "10.213.0.4/30"),
        (["10.213.0.0/17"], "10.213.128.0/30"),
    ],
)
def test_a_node_gets_a_free_subnet(taken: list[str], expected: str) -> None:
    """Several checkouts, and whatever else is on the machine, keep their own addresses."""
    assert free_subnet(map(IPv4Network, taken)) == IPv4Network(expected)


def test_a_node_is_not_started_where_addresses_are_taken() -> None:
    """A machine that routes all of our range elsewhere gets a clear refusal, not a broken route."""
    with pytest.raises(ClusterError, match="every subnet"):
        free_subnet([IPv4Network("10.0.0.0/8")])
    assert RANGE.is_private


@pytest.mark.parametrize(
    ("complaint", "starts"), [("Close_Fd sealing memfd copy: Device or resource busy", 3), ("no such image", 1)]
)
def test_buildah_is_started_again_when_it_could_not_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, complaint: str, starts: int
) -> None:
    """What the kernel refuses in passing is tried again; what buildah itself refuses is reported immediately."""
    program, count = tmp_path / "buildah", tmp_path / "count"
    program.write_text(f"""#!/bin/sh
echo started >>{count}
[ $(wc -l <{count}) -ge 3 ] || {{ echo '{complaint}' >&2; exit 1; }}
""")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    with contextlib.nullcontext() if starts > 1 else pytest.raises(BuildFailed, match=complaint):
        Buildah().push("localhost/image:tag")
    assert len(count.read_text().splitlines()) == starts


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[[], Recipe]:
    """An image of two files, made again each time."""
    (tmp_path / "Dockerfile").write_text("FROM scratch")
    for name in "ab":
        (tmp_path / name).write_text(name)
    return lambda: Recipe("x", tmp_path / "Dockerfile", tmp_path, sorted(tmp_path.glob("?")), {"BASE_IMAGE": "base"})


def test_an_unchanged_image_keeps_its_tag(recipe: Callable[[], Recipe]) -> None:
    """The tag depends on content only, neither on dates nor on order."""
    before = recipe().digest()
    (recipe().context / "a").touch()
    assert recipe().digest() == before


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "a").write_text("changed"),
        lambda folder: (folder / "a").rename(folder / "c"),
        lambda folder: (folder / "a").chmod(0o755),
        lambda folder: (folder / "Dockerfile").write_text("FROM scratch\nUSER 1"),
    ],
)
def test_a_changed_image_gets_another_tag(recipe: Callable[[], Recipe], change: Callable[[Path], object]) -> None:
    """Whatever changes the image changes its tag, so that a node never runs the old one under the new one's name."""
    before = recipe().digest()
    change(recipe().context)
    assert recipe().digest() != before


def test_containers_of_a_manifest_get_their_images(tmp_path: Path) -> None:
    """Init containers too; a container whose image is not known is an error, not a pull from somewhere."""
    pod = {"initContainers": [{"image": "b"}], "containers": [{"image": "a"}]}
    file = tmp_path / "m.yaml"
    file.write_text(yaml.safe_dump({"kind": "Deployment", "spec": {"template": {"spec": pod}}}))
    (found,) = manifest(file, {"a": "a:1", "b": "b:2"})
    spec = found["spec"]["template"]["spec"]
    assert [spec["initContainers"][0]["image"], spec["containers"][0]["image"]] == ["b:2", "a:1"]
    with pytest.raises(KeyError, match="b"):
        manifest(file, {"a": "a:1"})


def test_images_run_as_a_numbered_ordinary_user() -> None:
    """Only a number lets a cluster check `runAsNonRoot` before it starts a container; the last stage has to say it."""
    stages = DOCKERFILE.read_text().split("\nFROM ")
    users = [line.split()[1] for line in stages[-1].splitlines() if line.startswith("USER")]
    assert users == ["65532:65532"]


def test_the_cluster_command_lists_its_commands() -> None:
    """`--help` names every command with what it does."""
    done = subprocess.run(
        [sys.executable, "-m", "imghost_dev", "cluster", "--help"],
        cwd=CHECKOUT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert all(command in done.stdout for command in ("demo", "down", "status", "kubeconfig", "load-image"))
