"""The command line without anything running."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from imghost_cli.command import as_typed
from imghost_cli.main import main
from imghost_local.state import State
from support.commandline import Imghost

ROOT = Path(__file__).parents[2]
DEMO = str(ROOT / "manifests/samples/demo.yaml")


class Printed(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


Run = Callable[..., Printed]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The entry point of the command, called in this process in an empty project."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def call(*args: str) -> Printed:
        monkeypatch.setattr("sys.argv", ["imghost", *args])
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Printed(int(ended.value.code or 0), printed.out, printed.err)

    return call


def test_help_shows_what_to_type_first(run: Run) -> None:
    """`--help` shows what to type first, every command, and how to get completion."""
    shown = run("--help").out
    for words in ("imghost up manifests/samples/demo.yaml", "--install-completion", "render", "migrate", "status"):
        assert words in shown
    assert "--detach" in run("up", "--help").out


@pytest.mark.parametrize(
    ("program", "typed"),
    [
        ("/project/.venv/bin/imghost", "/project/.venv/bin/imghost up"),
        ("imghost", "imghost up"),
        ("pytest", "imghost up"),
    ],
)
def test_messages_name_the_command_as_it_was_called(monkeypatch: pytest.MonkeyPatch, program: str, typed: str) -> None:
    """Where `imghost` is not in PATH, messages name its path, so that what they say can be copied."""
    monkeypatch.setenv("PATH", "/usr/bin" if "/" in program else f"/usr/bin:{Path(sys.executable).parent}")
    monkeypatch.setattr("sys.argv", [program])
    assert as_typed("Stopped. Run `imghost up`; images of imghost stay.") == (
        f"Stopped. Run `{typed}`; images of imghost stay."
    )


def test_render_prints_what_the_operator_would_create(run: Run) -> None:
    """`render` needs no cluster: the objects of a manifest as YAML."""
    objects = list(yaml.safe_load_all(run("render", DEMO).out))
    found = {(found["kind"], found["metadata"]["name"]) for found in objects}
    assert {("Namespace", "imghost-demo"), ("Deployment", "api"), ("Deployment", "imaging")} <= found
    pods = [built["spec"]["template"]["spec"] for built in objects if built["kind"] in {"Deployment", "Job"}]
    commands = {" ".join(pod["containers"][0]["command"]) for pod in pods}
    assert commands == {
        "python -m imghost_api server",
        "python -m imghost_api worker",
        "python -m imghost_api migrate pre",
        "python -m imghost_api migrate post",
        "python -m imghost_imaging",
    }


def test_crds_prints_the_file_that_is_shipped(run: Run) -> None:
    """`crds` and the file in crds/ are the same text."""
    assert run("crds").out == (ROOT / "crds/imagehosttenants.imghost.dev.yaml").read_text()


@pytest.mark.parametrize("command", [["up"], ["up", "--detach"], ["render"]], ids=" ".join)
def test_a_manifest_that_breaks_a_rule_is_refused_in_the_clusters_words(run: Run, command: list[str]) -> None:
    """An invalid manifest ends with exit code 2 and the message kubectl would show, and starts nothing."""
    path = Imghost(Path.cwd()).manifest(api={"replicas": 1000})
    printed = run(command[0], str(path), *command[1:])
    assert printed.code == 2
    assert 'The ImageHostTenant "demo" is invalid: spec.api.replicas: Invalid value: 1000' in printed.err
    assert not list(Path(".imghost").glob("objects/*"))
    assert not Path(".imghost/postgres").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a: [", "is not YAML"),
        ("a: 1\na: 2", 'key "a" already set in map'),
        ("- 1\n- 2", "must be one object"),
        ("just words", "must be one object"),
        ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}", "does not match the expected API version"),
        ("\0", "is not YAML"),
        ("a: &a [*a, *a]", "does not match the expected API version"),
        ("apiVersion: imghost.dev/v1\nkind: ImageHostTenant\nmetadata: {name: x}\nspec: {colour: red}", "spec.colour"),
        ("!!python/object/apply:os.system ['touch owned']", "is not YAML"),
    ],
)
def test_any_invalid_file_gives_one_message(run: Run, text: str, words: str) -> None:
    """Nonsense, another kind and hostile YAML are reported in one message, and nothing of it is run."""
    Path("bad.yaml").write_text(text)
    printed = run("up", "bad.yaml")
    assert printed.code == 2
    assert printed.err.startswith("imghost: bad.yaml ")
    assert words in printed.err
    assert not Path("owned").exists()


def test_a_missing_file_is_named(run: Run) -> None:
    """A path that is not there is reported with what to do."""
    printed = run("up", "nowhere.yaml")
    assert printed.code == 2
    assert "nowhere.yaml cannot be read: No such file" in printed.err


@pytest.mark.parametrize("ports", ["5001", "5001,5002", "5001,5001,5003", "a,b,c", "0,1,2", "1,2,70000", "1,2,3,4"])
def test_ports_are_checked(run: Run, ports: str) -> None:
    """`--ports` takes three different ports, and says so."""
    printed = run("up", DEMO, "--ports", ports)
    assert printed.code == 2
    assert "three different ports" in printed.err


@pytest.mark.parametrize("args", [["up"], ["fly"], ["status", "--sideways"]], ids=" ".join)
def test_a_wrong_command_line_is_a_usage_error(run: Run, args: list[str]) -> None:
    """A missing argument, an unknown command or option ends with exit code 2 and how it is used."""
    printed = run(*args)
    assert printed.code == 2
    assert "Usage: imghost" in printed.err


def test_the_same_tenant_twice_is_refused(run: Run) -> None:
    """Two documents of one name would fight; neither is taken."""
    path = Imghost(Path.cwd()).manifest()
    path.write_text(f"{path.read_text()}\n---\n{path.read_text()}")
    printed = run("up", str(path))
    assert printed.code == 2
    assert 'tenant "demo" is there more than once' in printed.err


def test_status_without_a_running_installation_is_no_error(run: Run) -> None:
    """Without an installation, status says so with exit code 4, down and reset have nothing to do."""
    assert (run("status").code, run("down").code, run("reset", "--yes").code) == (4, 0, 0)
    printed = run("status", "--json")
    assert json.loads(printed.out) == {"running": False, "ready": False, "pid": None, "tenants": []}
    assert printed.code == 4
    assert "No logs" in run("logs").err


def test_reset_asks_first(imghost: Imghost) -> None:
    """Without `--yes`, reset removes nothing before a person has agreed."""
    state = State(imghost.project / ".imghost")
    state.create()
    for response, code, left in (("n\n", 1, True), ("", 1, True), ("y\n", 0, False)):
        done = imghost("reset", code=code, typed=response)
        assert "Remove everything in" in done.stdout
        assert state.root.exists() == left


def test_reset_removes_only_a_state_folder(run: Run) -> None:
    """A folder that imghost did not make is left alone, whatever is asked."""
    Path("precious").mkdir()
    Path("precious/file").write_text("mine")
    printed = run("reset", "--yes", "--state", "precious")
    assert (printed.code, Path("precious/file").read_text()) == (2, "mine")
    assert "is not a state folder" in printed.err


@pytest.mark.parametrize("command", ["api-server", "worker", "imaging-server", "migrate pre", "migrate status"])
def test_a_server_without_settings_says_what_is_missing(imghost: Imghost, command: str) -> None:
    """A pod's command started by hand ends immediately with a missing setting, not with a traceback."""
    done = imghost(*command.split(), code=1)
    assert "Traceback" not in done.stderr
    assert "required" in done.stderr.lower()
