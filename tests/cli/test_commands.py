"""The command line without anything running."""

from pathlib import Path

import pytest
import yaml

from support.commandline import Imghost

ROOT = Path(__file__).parents[2]
DEMO = str(ROOT / "manifests/samples/demo.yaml")


def test_help_teaches(imghost: Imghost) -> None:
    """`--help` shows what to type first, every command, and how to get completion."""
    shown = imghost("--help").stdout
    for words in ("imghost up manifests/samples/demo.yaml", "--install-completion", "render", "migrate", "status"):
        assert words in shown
    assert "--detach" in imghost("up", "--help").stdout


def test_render_prints_what_the_operator_would_create(imghost: Imghost) -> None:
    """`render` needs no cluster: the objects of a manifest as YAML, with no secret in them."""
    objects = list(yaml.safe_load_all(imghost("render", DEMO).stdout))
    found = {(it["kind"], it["metadata"]["name"]) for it in objects}
    assert {("Namespace", "imghost-demo"), ("Deployment", "api"), ("Deployment", "imaging")} <= found
    commands = {
        it["spec"]["template"]["spec"]["containers"][0]["command"][1]
        for it in objects
        if it["kind"] in {"Deployment", "Job"}
    }
    assert commands == {"api-server", "imaging-server", "migrate"}


def test_crds_prints_the_file_that_is_shipped(imghost: Imghost) -> None:
    """`crds` and the file in crds/ are the same text."""
    shipped = ROOT / "crds/imagehosttenants.imghost.dev.yaml"
    assert imghost("crds").stdout == shipped.read_text()


@pytest.mark.parametrize("command", [["up"], ["up", "--detach"], ["render"]])
def test_a_manifest_that_breaks_a_rule_is_refused_in_the_clusters_words(imghost: Imghost, command: list[str]) -> None:
    """An invalid manifest ends with exit code 2 and the message kubectl would show, and starts nothing."""
    path = imghost.manifest(api={"replicas": 1000})
    done = imghost(command[0], str(path), *command[1:], code=2)
    assert 'The ImageHostTenant "demo" is invalid: spec.api.replicas: Invalid value: 1000' in done.stderr
    assert "Traceback" not in done.stderr
    assert imghost.status()["running"] is False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a: [", "is not YAML"),
        ("- 1\n- 2", "must be one object"),
        ("just words", "must be one object"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}", "does not match the expected API version"),
        ("\0", "is not YAML"),
        ("a: &a [*a, *a]", "does not match the expected API version"),
        ("apiVersion: imghost.dev/v1\nkind: ImageHostTenant\nmetadata: {name: x}\nspec: {colour: red}", "spec.colour"),
        ("!!python/object/apply:os.system ['touch owned']", "is not YAML"),
    ],
)
def test_whatever_is_in_the_file_is_one_message(imghost: Imghost, text: str, words: str) -> None:
    """Nonsense, another kind and hostile YAML are told in one line each, without a traceback, and run nothing."""
    path = imghost.project / "bad.yaml"
    path.write_text(text)
    done = imghost("up", str(path), code=2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (imghost.project / "owned").exists()


def test_a_missing_file_is_named(imghost: Imghost) -> None:
    """A path that is not there is told with what to do."""
    assert "nowhere.yaml cannot be read: No such file" in imghost("up", "nowhere.yaml", code=2).stderr


@pytest.mark.parametrize("ports", ["5001", "5001,5002", "5001,5001,5003", "a,b,c", "0,1,2", "1,2,70000", "1,2,3,4"])
def test_ports_are_checked(imghost: Imghost, ports: str) -> None:
    """`--ports` takes three different ports, and says so."""
    done = imghost("up", DEMO, "--ports", ports, code=2)
    assert "three different ports" in done.stderr


def test_several_tenants_cannot_share_ports(imghost: Imghost) -> None:
    """`--ports` names the ports of one tenant."""
    path = imghost.manifests(one={}, two={})
    assert "ports of one tenant" in imghost("up", str(path), "--ports", "5001,5002,5003", code=2).stderr


def test_the_same_tenant_twice_is_refused(imghost: Imghost) -> None:
    """Two documents of one name would fight; neither is taken."""
    path = imghost.manifest()
    path.write_text(f"{path.read_text()}\n---\n{path.read_text()}")
    assert 'tenant "demo" is there more than once' in imghost("up", str(path), code=2).stderr


def test_nothing_running_is_no_error_to_ask_about(imghost: Imghost) -> None:
    """Without an installation, status says so with exit code 4, down and reset have nothing to do."""
    assert "Nothing runs" in imghost("status", code=4).stdout
    assert imghost("status", "--json", code=4).stdout.startswith("{")
    assert "Nothing runs" in imghost("down").stdout
    assert "nothing in" in imghost("reset", "--yes").stdout
    assert "No logs" in imghost("logs", code=1).stderr


def test_reset_removes_no_strangers_folder(imghost: Imghost) -> None:
    """A folder that imghost did not make is left alone, whatever is asked."""
    (imghost.project / "precious").mkdir()
    (imghost.project / "precious/file").write_text("mine")
    done = imghost("reset", "--yes", "--state", "precious", code=2)
    assert "is not a state folder" in done.stderr
    assert (imghost.project / "precious/file").read_text() == "mine"


@pytest.mark.parametrize("command", ["api-server", "imaging-server", "migrate"])
def test_a_server_without_settings_says_what_is_missing(imghost: Imghost, command: str) -> None:
    """A pod's command started by hand ends at once with the missing settings, not with a traceback."""
    done = imghost(command, code=1)
    assert "Traceback" not in done.stderr
    assert "required" in done.stderr.lower()
