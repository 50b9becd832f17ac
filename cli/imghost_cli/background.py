"""`imghost up --detach`: start it in the background and wait until it is ready. Imports little, to be quick."""

import os
import subprocess
import sys
from pathlib import Path

from imghost_cli import screen
from imghost_cli.command import as_typed
from imghost_local import report
from imghost_local.errors import InvalidInput, UserError
from imghost_local.state import AlreadyRunning, State


def run_detached(state: State, manifest: Path, ports: str, within: float) -> None:
    """Run in the background; return when ready, with the same summary as in the foreground.

    Raises what the background process ended with, or `UserError` when it is not ready in time; it keeps trying then.
    """
    if (holder := state.holder()) is not None:
        raise AlreadyRunning(f"imghost already runs in {state.root} (process {holder}). See `imghost status`.")
    state.create()
    log, console = state.root / "up.log", screen.new_console()
    argv = [sys.executable, "-m", "imghost_cli", "up", str(manifest), "--state", str(state.root), "--ports", ports]
    with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as output:  # noqa: PTH123 - mode
        child = subprocess.Popen(
            [*argv, "--serve"], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
    try:
        found = screen.wait_until_ready(
            console, lambda: report.read(state.documents, child.pid), lambda: child.poll() is None, within
        )
    except UserError:
        if child.poll() is None:
            raise
        kind = InvalidInput if child.returncode == InvalidInput.exit_code else UserError
        message = log.read_text(errors="replace").strip().rpartition("imghost: ")[2]
        raise kind(
            message or "imghost stopped before the tenant was ready, without a message. See `imghost logs`."
        ) from None
    screen.summary(console, found)
    console.print(as_typed("  It runs in the background: `imghost status`, `imghost logs -f`, `imghost down`.\n"))
