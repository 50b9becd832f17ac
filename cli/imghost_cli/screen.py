"""What the terminal shows: progress while it starts, then URLs and key, then the logs."""

import time
from collections.abc import Callable
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.status import Status
from rich.table import Table
from rich.text import Text

from imghost_cli.lines import Line, colour_of
from imghost_local.errors import UserError
from imghost_local.report import Report

_POLL_SECONDS = 0.1


def new_console() -> Console:
    """Standard output, with colours on a terminal."""
    return Console(highlight=False, soft_wrap=True)


class Progress:
    """One line that says what is being waited for: a spinner on a terminal, else a plain line for each change."""

    def __init__(self, console: Console) -> None:
        self._console, self._last, self._began = console, "", time.monotonic()
        self._status = console.status("Starting") if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def show(self, text: str) -> None:
        """Show `text`, with the seconds since the beginning."""
        seconds = time.monotonic() - self._began
        if isinstance(self._status, Status):
            self._status.update(f"{escape(text)} [dim]{seconds:.0f} s[/dim]")
        elif text != self._last:
            self._console.print(f"{seconds:5.1f} s  {text}", markup=False)
        self._last = text


def step(report: Report) -> str:
    """The step that is waited for, in one line."""
    for tenant in report.get("tenants", []):
        ready = {condition["type"]: condition for condition in tenant["conditions"]}.get("Ready", {})
        if not tenant["ready"] and ready.get("status") != "True" and ready:
            return f"{tenant['name']}: {ready['message']}"
    return report.get("phase") or "Starting"


def wait_until_ready(console: Console, read: Callable[[], Report], alive: Callable[[], bool], within: float) -> Report:
    """Show progress until the report says ready. Raises `UserError` when it ended, or is not ready in time."""
    deadline = time.monotonic() + within
    with Progress(console) as progress:
        while not (report := read()).get("ready"):
            if not alive():
                raise UserError("imghost stopped before the tenant was ready. See `imghost logs`.")
            if time.monotonic() > deadline:
                raise UserError(
                    f"Not ready within {within:.0f} s, still trying: {step(report).rstrip('.')}. See `imghost logs`."
                )
            progress.show(step(report))
            time.sleep(_POLL_SECONDS)
    return report


def summary(console: Console, report: Report) -> None:
    """URLs, key and account, and an example upload."""
    for tenant in report["tenants"]:
        urls, image = tenant["urls"], tenant["image"] or {}
        console.print(f"\n[bold green]{escape(tenant['name'])} is ready[/]\n")
        rows = {
            "Image": image.get("view_url") or f"none: {tenant['refusal']}",
            "Thumbnail": image.get("thumbnail"),
            "API docs": urls["docs"],
            "API key": tenant["key"],
            "Sign in": f"{tenant['account'].get('email')}  {tenant['account'].get('password')}",
        }
        for name, value in rows.items():
            if value:
                console.print(f"  {name:<10} {escape(str(value))}")
        console.print("\n  Upload an image of your own:")
        console.print(f"  {escape(_curl(tenant))}\n")


def _curl(tenant: dict[str, Any]) -> str:
    return f"curl -H 'X-API-Key: {tenant['key']}' -F 'file=@photo.jpg' {tenant['urls']['upload']}/upload"


def show(console: Console, line: Line, width: int = 16) -> None:
    """One log line."""
    text = Text(no_wrap=False)
    text.append(f"{line.source:<{width}} ", style=colour_of(line.source))
    text.append(f"{line.time} " if line.time else "", style="dim")
    text.append(line.text, style=line.style)
    console.print(text)
    for detail in line.details:
        console.print(Text(f"{'':<{width}} {detail}", style="dim"))


def table(console: Console, report: Report) -> None:
    """The state of everything that runs."""
    for tenant in report["tenants"]:
        console.print(f"[bold]{escape(tenant['name'])}[/]  {'ready' if tenant['ready'] else 'not ready'}")
        for name, url in tenant["urls"].items():
            console.print(f"  {name:<8} {url}")
        console.print(f"  {'API key':<8} {tenant['key'] or 'none yet'}")
        conditions = Table("Condition", "Status", "Reason", "Message", box=None, padding=(0, 2))
        for condition in tenant["conditions"]:
            conditions.add_row(
                condition["type"], condition["status"], condition["reason"], escape(condition["message"])
            )
        pods = Table("Pod", "Ready", "PID", "Restarts", "Address", box=None, padding=(0, 2))
        for pod in tenant["pods"]:
            ready = "yes" if pod["ready"] else "no"
            pods.add_row(pod["name"], ready, str(pod["pid"] or "-"), str(pod["restarts"]), pod["address"])
        for part in (conditions, pods):
            console.print(part)
    if problem := report.get("problem"):
        console.print(f"[red]The edited manifest is invalid and was not applied:[/] {escape(problem)}")
