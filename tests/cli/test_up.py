"""`imghost up` as a user runs it: the real services, the operator's own reconcile, an embedded PostgreSQL."""

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import pytest

from support.commandline import Imghost
from support.eventually import eventually

PHOTOGRAPH = files("imghost_local").joinpath("samples/hubble.jpg").read_bytes()


@pytest.fixture(scope="module")
def demo() -> Iterator[Imghost]:
    """One installation of the tenant `demo` in the background, for every test of this module."""
    project = Path(tempfile.mkdtemp(prefix="imghost-test-up-"))
    project.chmod(0o755)
    command = Imghost(project)
    try:
        command("up", str(command.manifest()), "--detach", "--timeout", "80", within=90)
        yield command
    finally:
        command("reset", "--yes")
        shutil.rmtree(project)


def upload(client: httpx.Client, tenant: dict[str, Any], key: str | None = None) -> httpx.Response:
    return client.post(
        f"{tenant['urls']['upload']}/upload",
        files={"file": ("photo.jpg", PHOTOGRAPH, "image/jpeg")},
        headers={"X-API-Key": key or tenant["key"]},
    )


def pids(tenant: dict[str, Any], workload: str) -> set[int]:
    return {pod["pid"] for pod in tenant["pods"] if pod["workload"] == workload}


def secret(command: Imghost, tenant: str, name: str) -> dict[str, str]:
    path = command.project / f".imghost/objects/Secret/imghost-{tenant}/{name}.json"
    data = json.loads(path.read_text())["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


@pytest.mark.requirement("000-R12")
def test_the_first_image_is_served(demo: Imghost, client: httpx.Client) -> None:
    """Ready means: image, sizes, information and documentation answer, and the shown key uploads."""
    tenant = demo.ready()
    image, urls = tenant["image"], tenant["urls"]
    for url in (image["url"], image["view_url"], image["thumbnail"], f"{image['view_url']}?size=medium"):
        response = client.get(url)
        assert (response.status_code, response.headers["content-type"]) == (200, "image/jpeg"), url
    info = client.get(f"{urls['view']}/info/{image['id']}").json()
    assert info["dimensions"] == {"width": 1000, "height": 872}
    assert client.get(urls["docs"]).status_code == 200
    mine = upload(client, tenant)
    assert mine.status_code == 201, mine.text
    assert client.get(mine.json()["image"]["url"]).content == PHOTOGRAPH


def test_status_is_printed_for_people_and_programs(demo: Imghost) -> None:
    """`status` has URLs, key, conditions and processes; what is not enforced here is said, and Ready all the same."""
    tenant = demo.ready()
    conditions = {condition["type"]: condition for condition in tenant["conditions"]}
    assert conditions["Ready"]["status"] == "True"
    assert (conditions["Enforced"]["status"], conditions["Enforced"]["reason"]) == ("False", "NotEnforcedHere")
    assert "NetworkPolicy" in conditions["Enforced"]["message"]
    shown = demo("status").stdout
    for words in (tenant["key"], tenant["urls"]["view"], "NotEnforcedHere", "api-0", "imaging-0"):
        assert words in shown
    assert "upload" in demo("logs", "api", "--tail", "200").stdout


def test_the_services_run_with_the_manifests_values(demo: Imghost) -> None:
    """A process has the values of its ConfigMap and Secrets, and nothing of the user's environment."""
    (pid,) = pids(demo.ready(), "api")
    environment = psutil.Process(pid).environ()
    assert environment["TENANT"] == "demo"
    assert environment["DATABASE_URL"] == secret(demo, "demo", "database-api")["DATABASE_URL"]
    assert "NO_COLOR" not in environment  # set by this test for the command itself
    assert environment["HOST"].startswith("127.")


async def test_an_edit_is_reconciled(demo: Imghost) -> None:
    """Replicas 1 → 2 starts a second process next to the first, and back again ends one."""
    before = pids(demo.ready(), "api")
    demo.manifest(api={"replicas": 2})

    def scaled() -> set[int]:
        found = pids(demo.ready(), "api")
        assert len(found) == 2, found
        return found

    assert before < await eventually(scaled, 20)
    demo.manifest()
    await eventually(lambda: len(pids(demo.ready(), "api")) == 1, 20)


async def test_a_limit_that_is_edited_holds(demo: Imghost, client: httpx.Client) -> None:
    """A smaller upload limit rolls the processes and is enforced; taken back, the same image is taken again."""
    demo.manifest(imaging={"limits": {"maxInputBytes": "100Ki"}})
    await eventually(lambda: upload(client, demo.tenant()).status_code == 413, 30, ignoring=(httpx.TransportError,))
    demo.manifest()
    await eventually(lambda: upload(client, demo.ready()).status_code == 201, 30, ignoring=(httpx.TransportError,))


async def test_a_bad_edit_changes_nothing(demo: Imghost, client: httpx.Client) -> None:
    """An edit that breaks a rule, or changes what may not change, is reported as a cluster would, and nothing else."""
    before = demo.ready()
    for spec, words in (
        ({"api": {"replicas": -1}}, "spec.api.replicas: Invalid value: -1"),
        ({"database": {"instanceRef": "another"}}, "immutable"),
    ):
        demo.manifest(**spec)
        await eventually(lambda words=words: words in demo.status()["problem"], 10, words)  # type: ignore[misc]
        assert words in demo("logs", "operator").stdout
    assert demo.ready()["pods"] == before["pods"]
    assert client.get(before["image"]["url"]).status_code == 200
    demo.manifest()
    await eventually(lambda: not demo.status()["problem"], 10)


async def test_killed_processes_are_restarted_and_lose_nothing(demo: Imghost, client: httpx.Client) -> None:
    """Kill -9 of every service in the middle of uploads: they come back, and every acknowledged upload is there."""
    tenant, acknowledged, done = demo.ready(), list[dict[str, Any]](), threading.Event()

    def upload_for_ever() -> None:
        with httpx.Client(timeout=20, trust_env=False) as mine:
            while not done.is_set():
                try:
                    response = upload(mine, tenant)
                except httpx.TransportError:
                    continue
                if response.status_code == 201:
                    acknowledged.append(response.json()["image"])

    threads = [threading.Thread(target=upload_for_ever) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for workload in ("imaging", "worker", "api"):
            count = len(acknowledged)
            await eventually(lambda count=count: len(acknowledged) > count + 1, 20, "uploads go on")  # type: ignore[misc]
            for pid in pids(demo.tenant(), workload):
                os.kill(pid, signal.SIGKILL)
        count = len(acknowledged)
        await eventually(lambda: len(acknowledged) > count + 1, 20, "uploads go on")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    await eventually(demo.ready, 20)
    for image in acknowledged:
        assert client.get(image["url"]).content == PHOTOGRAPH
        assert client.get(image["thumbnail"]).status_code == 200
    await eventually(lambda: {pod["restarts"] for pod in demo.tenant()["pods"]} == {1}, 20, "each pod restarts once")


async def test_a_killed_database_is_503_until_it_is_back(demo: Imghost, client: httpx.Client) -> None:
    """Kill -9 of PostgreSQL: 503 with Retry-After instead of a crash, then everything answers again by itself."""
    tenant = demo.ready()
    quota, header = f"{tenant['urls']['upload']}/upload/quota", {"X-API-Key": tenant["key"]}
    server = psutil.Process(demo.status()["postgres"]["pid"])
    for process in (server, *server.children(recursive=True)):
        process.kill()
    response = client.get(quota, headers=header)
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert int(response.headers["retry-after"]) > 0
    await eventually(lambda: client.get(quota, headers=header).status_code == 200, 20, ignoring=(httpx.TransportError,))
    await eventually(demo.ready, 20)
    assert client.get(tenant["image"]["view_url"]).status_code == 200


async def test_a_second_start_is_quick_and_keeps_everything(demo: Imghost, client: httpx.Client) -> None:
    """After `down` nothing runs; `up` again has the same addresses, the same key and the same images."""
    before = demo.ready()
    processes = [psutil.Process(pid) for pod in before["pods"] if (pid := pod["pid"])]
    processes.append(psutil.Process(demo.status()["postgres"]["pid"]))
    demo("down")
    assert not [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    assert demo("status", code=4).returncode == 4
    began = time.monotonic()
    demo("up", "tenants.yaml", "--detach")
    took = time.monotonic() - began
    after = demo.ready()
    assert (after["urls"], after["key"], after["image"]) == (before["urls"], before["key"], before["image"])
    assert client.get(after["image"]["url"]).content == PHOTOGRAPH
    assert took < 20, "a generous bound for a busy machine; 5 s is what is measured on an idle one"


async def test_kill_of_up_itself_leaves_nothing_running(demo: Imghost, client: httpx.Client) -> None:
    """Kill -9 of `up`: all of its processes end with it, and the next start takes over the folder and the data."""
    before = demo.ready()
    up = psutil.Process(demo.status()["pid"])
    children = up.children(recursive=True)
    assert len(children) >= 3
    up.kill()

    def left() -> list[psutil.Process]:
        return [each for each in children if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

    # A process may end between the two questions; the next look does not ask it again.
    await eventually(lambda: not left(), 15, ignoring=(psutil.NoSuchProcess,))
    assert demo.status()["running"] is False
    demo("up", "tenants.yaml", "--detach")
    assert client.get(demo.ready()["image"]["url"]).content == PHOTOGRAPH
    assert demo.ready()["urls"] == before["urls"]


def test_a_second_up_in_a_folder_is_refused(demo: Imghost) -> None:
    """A second `up` in the same folder is refused with the way out."""
    for how in (["--detach"], []):
        assert "imghost already runs in" in demo("up", "tenants.yaml", *how, code=1).stderr


def test_a_key_of_one_tenant_is_refused_by_another(demo: Imghost, imghost: Imghost, client: httpx.Client) -> None:
    """Three tenants of two folders together: no port, key, password or folder of one is good for another."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        refused = imghost("up", str(imghost.manifest()), "--detach", "--ports", f"{taken},1111,1112", code=1)
        assert f"Port {taken}, asked for as 'auth', is taken" in refused.stderr
    imghost("up", str(imghost.manifests(one={}, two={})), "--detach", "--timeout", "80", within=90)
    tenants = [demo.ready(), imghost.ready("one"), imghost.ready("two")]
    ports = [url.rsplit(":", 1)[1] for report in tenants for name, url in report["urls"].items() if name != "docs"]
    assert len(set(ports)) == 9
    for mine in tenants:
        for theirs in tenants:
            status = upload(client, theirs, mine["key"]).status_code
            assert status == (201 if mine is theirs else 401), (mine["name"], theirs["name"])
    urls = {name: secret(imghost, name, "database-api")["DATABASE_URL"] for name in ("one", "two")}
    with psycopg.connect(urls["one"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    foreign = urls["one"].rsplit("/", 1)[0] + "/" + urls["two"].rsplit("/", 1)[1]
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(foreign)
    stores = imghost.project / ".imghost/store"
    assert {folder.name for folder in stores.iterdir()} == {"one", "two"}
    assert all(folder.stat().st_mode & 0o077 == 0 for folder in stores.iterdir())


async def test_ctrl_c_ends_a_run_in_the_foreground(imghost: Imghost, client: httpx.Client) -> None:
    """In the foreground: progress, where everything is, readable logs; Ctrl-C ends all of it with exit code 0.

    A tenant whose limits do not take our photograph is ready without one, and says why.
    """
    path = imghost.manifest(imaging={"limits": {"formats": ["png"]}})
    log = imghost.project / "screen.txt"
    with log.open("wb") as out:
        up = subprocess.Popen(imghost.argv("up", str(path)), cwd=imghost.project, stdout=out, stderr=out)
    try:
        await eventually(lambda: "demo is ready" in log.read_text(), 60, "the summary")
        tenant = imghost.ready()
        children = psutil.Process(up.pid).children(recursive=True)
        client.get(f"{tenant['urls']['view']}/i/never-was")
        await eventually(lambda: "path=/i/never-was" in log.read_text(), 10, "the access log")
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 0
    finally:
        up.kill()
        up.wait()
    shown = log.read_text()
    for words in (
        "Creating a PostgreSQL database",
        tenant["key"],
        "curl -H 'X-API-Key: ",
        "none: 415",
        "Your data stays",
    ):
        assert words in shown
    assert "Traceback" not in shown
    assert not [process for process in children if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
    folder = imghost.project / ".imghost"
    imghost("reset", "--yes")
    assert not folder.exists()
