"""The `imghost` command. Each subcommand imports what it needs when it is called: images carry only their part."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from imghost_cli.command import as_typed
from imghost_local.errors import InvalidInput, UserError

if TYPE_CHECKING:
    from imghost_local.state import State

NOT_READY, NOT_RUNNING = 3, 4
_STOP_WITHIN = 60.0
_HELP = """Image hosting on Kubernetes, and on this machine.

`imghost up` runs an ImageHostTenant manifest here exactly as the operator would in a cluster:

\b
  imghost up manifests/samples/demo.yaml      run it and show its logs
  imghost up manifests/samples/demo.yaml -d   run it in the background
  imghost status                              show URLs, API key, conditions
  imghost render manifests/samples/demo.yaml  print what the operator creates

Ctrl-C stops it; data stays until `imghost reset`.
Next: change the manifest while it runs (replicas, a limit) and watch it being reconciled.
"""

app = typer.Typer(
    help=_HELP,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

StateOption = Annotated[
    Path,
    typer.Option("--state", help="Folder with the data of this installation.", envvar="IMGHOST_STATE", file_okay=False),
]
Manifest = Annotated[Path, typer.Argument(help="YAML with one or more ImageHostTenants.", show_default=False)]
STATE = Path(".imghost")


@app.command()
def up(
    manifest: Manifest,
    *,
    state: StateOption = STATE,
    ports: Annotated[
        str, typer.Option(help="Public ports as auth,upload,view; by default 5001,5002,5003 or free ones.")
    ] = "",
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Run in the background, return when ready.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait until ready.", min=1)] = 300.0,
    serve: Annotated[bool, typer.Option("--serve", hidden=True)] = False,
) -> None:
    """Run a tenant on this machine: PostgreSQL, api and imaging, reconciled by the operator's own code.

    Edits of the manifest are applied while it runs. Data is kept in .imghost (see --state).
    """
    if sys.platform != "linux":
        raise UserError(
            "`imghost up` needs Linux: addresses for each process, and processes that end with their parent."
        )
    folder, asked = _state(state), _ports(ports)
    if detach and not serve:
        from imghost_cli.background import run_detached

        run_detached(folder, manifest, ports, timeout)
        return
    from imghost_cli import foreground

    if serve:
        foreground.serve(folder, manifest, asked)
    else:
        foreground.run_attached(folder, manifest, asked, timeout)


@app.command()
def down(*, state: StateOption = STATE) -> None:
    """Stop what `imghost up` runs. Data stays."""
    folder = _state(state)
    pid = folder.holder()
    if pid is None:
        typer.echo(f"Nothing runs in {folder.root}.")
        return
    _end(folder.holder, pid)
    typer.echo(as_typed("Stopped. Your data stays; run `imghost up` to resume."))


@app.command()
def status(
    *,
    state: StateOption = STATE,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Show URLs, API key and conditions. Exit code 0: ready, 3: not ready, 4: not running."""
    from imghost_cli import screen
    from imghost_local import report

    folder = _state(state)
    pid = folder.holder()
    found = report.read(folder.documents, pid)
    ready = bool(found.get("ready"))
    if as_json:
        shown = {"tenants": [], **found, "running": pid is not None, "ready": ready, "pid": pid}
        typer.echo(json.dumps(shown, indent=2))
    elif pid is None:
        typer.echo(as_typed(f"Nothing runs in {folder.root}. Start it: imghost up manifests/samples/demo.yaml"))
    elif found.get("tenants"):
        screen.table(screen.new_console(), found)
    else:
        typer.echo(found.get("phase", "Starting"))
    raise typer.Exit(NOT_RUNNING if pid is None else 0 if ready else NOT_READY)


@app.command()
def logs(
    source: Annotated[str, typer.Argument(help="Only logs whose name contains this, e.g. api or demo/api-0.")] = "",
    *,
    state: StateOption = STATE,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Print new lines until Ctrl-C.")] = False,
    tail: Annotated[int, typer.Option(help="Lines of each log to begin with.", min=0)] = 50,
) -> None:
    """Show the logs of all processes, or of some."""
    from imghost_cli import screen
    from imghost_cli.follow import Follower

    folder, console = _state(state), screen.new_console()
    follower = Follower(folder.logs, source)
    found = follower.last(tail)
    if not found and not follow:
        raise UserError(
            f"No logs of '{source}' in {folder.logs}. Omit it to see all."
            if source
            else f"No logs in {folder.logs} yet. Start a tenant: imghost up manifests/samples/demo.yaml"
        )
    for line in found:
        screen.show(console, line)
    with suppress(KeyboardInterrupt):
        while follow:
            for line in follower.new():
                screen.show(console, line)
            time.sleep(0.2)


@app.command()
def reset(
    *, state: StateOption = STATE, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Remove all data of this installation: database, images, API keys, logs. Stops it first."""
    folder = _state(state)
    if not folder.root.exists():
        typer.echo(f"There is nothing in {folder.root}.")
        return
    if not folder.is_ours():
        raise InvalidInput(f"{folder.root} is not a state folder of imghost; nothing was removed.")
    if not yes:
        typer.confirm(f"Remove everything in {folder.root}, images and database included?", abort=True)
    if (pid := folder.holder()) is not None:
        _end(folder.holder, pid)
    folder.remove()
    typer.echo("Removed.")


@app.command()
def render(manifest: Manifest) -> None:
    """Print the objects that the operator would create for a manifest, as YAML. Needs no cluster."""
    import yaml

    from imghost_local import manifests
    from imghost_operator.render import render as objects_of

    tenants = manifests.read(manifest)
    typer.echo(yaml.safe_dump_all([obj for tenant in tenants for obj in objects_of(tenant)], sort_keys=False), nl=False)


@app.command()
def crds() -> None:
    """Print the CustomResourceDefinition, to be piped to `kubectl apply -f -`."""
    from imghost_operator import crd

    typer.echo(crd.text(), nl=False)


@app.command()
def conditions() -> None:
    """Print the page that explains every condition and reason of a tenant, as Markdown."""
    from imghost_operator import conditions_page

    typer.echo(conditions_page.text(), nl=False)


@app.command("api-server")
def api_server() -> None:
    """Serve the API of one tenant; settings come from the environment."""
    from imghost_api.main import run

    run()


@app.command()
def worker() -> None:
    """Run the background jobs and events of one tenant; settings come from the environment."""
    from imghost_api.worker import run

    run()


@app.command("imaging-server")
def imaging_server() -> None:
    """Serve the images of one tenant; settings come from the environment."""
    from imghost_imaging.main import run

    run()


@app.command()
def operator() -> None:
    """Run the operator against a cluster; settings come from the environment."""
    from imghost_operator.main import run

    run()


@app.command()
def migrate(
    action: Annotated[
        str, typer.Argument(help="pre: expand the schema; post: contract it; status: show what is pending.")
    ],
) -> None:
    """Change the schema of a tenant's database; settings come from the environment."""
    from imghost_api.__main__ import main as run

    run(["migrate", action])


def _state(folder: Path) -> "State":
    from imghost_local.state import State

    return State(folder)


def _ports(text: str) -> dict[str, int]:
    """`5001,5002,5003` → port by name. Raises `InvalidInput`."""
    from imghost_operator.tenant_contract import PUBLIC_PORTS

    if not text:
        return {}
    parts = text.split(",")
    numbers = [int(part) for part in parts if part.strip().isdecimal() and 0 < int(part) < 65536]  # noqa: PLR2004
    if len(parts) != len(numbers) or len(set(numbers)) != len(PUBLIC_PORTS) or len(parts) != len(PUBLIC_PORTS):
        example = ",".join(str(port.number) for port in PUBLIC_PORTS.values())
        raise InvalidInput(
            f"--ports is '{text}'; it needs three different ports, for {', '.join(PUBLIC_PORTS)}: {example}."
        )
    return dict(zip(PUBLIC_PORTS, numbers, strict=True))


def _end(holder: Callable[[], int | None], pid: int) -> None:
    """Stop the `up` with this process id, and wait until it has released its folder."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_WITHIN
    while holder() is not None:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)  # its children end with it
            return
        time.sleep(0.05)


def main() -> None:
    """Run the command line; an error of the user is one line on standard error, never a traceback."""
    try:
        app()
    except UserError as error:
        typer.echo(f"imghost: {as_typed(str(error))}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        typer.echo(f"imghost: {error.strerror or error}: {error.filename or ''}".rstrip(": "), err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("imghost_"):
            raise
        typer.echo(f"imghost: {error.name} is not installed here. Install imghost with the extra it needs.", err=True)
        sys.exit(1)
