"""`python -m imghost_api dead-letters`: look at events that could not be delivered, and decide about them."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from typing import Final

from imghost_api.db.engine import Database, Session
from imghost_api.db.system import all_workspaces
from imghost_api.events import dead_letters
from imghost_core.errors import Unavailable
from imghost_core.settings import DatabaseSettings, load
from imghost_core.timestamps import format_utc

PROGRAM: Final = "imghost dead-letters"
_COLUMNS: Final = ("EVENT", "SUBSCRIBER", "TYPE", "SUBJECT", "ATTEMPTS", "ERROR", "SINCE", "WAITING")


def run(arguments: Sequence[str]) -> None:
    """Do what the arguments say; the database is that of the worker's environment."""
    chosen = _parser().parse_args(arguments)
    settings = load(DatabaseSettings, program=PROGRAM)
    try:
        sys.stdout.write(asyncio.run(_run(settings, chosen)) + "\n")
    except Unavailable as error:
        sys.exit(f"{PROGRAM}: {error}")


async def _run(settings: DatabaseSettings, chosen: argparse.Namespace) -> str:
    database = Database.open(settings, application="imghost-dead-letters")
    try:
        async with all_workspaces(database) as session:
            if chosen.verb == "list":
                return await _table(session)
            if chosen.verb == "requeue":
                requeued = await dead_letters.requeue(session, subscriber=chosen.subscriber, event_id=chosen.event)
                return f"{requeued} requeued"
            discarded = await dead_letters.discard(session, subscriber=chosen.subscriber, event_id=chosen.event)
            return f"{discarded} discarded"
    finally:
        await database.close()


async def _table(session: Session) -> str:
    rows = [
        (
            str(letter.event_id),
            letter.subscriber,
            letter.type,
            letter.subject,
            str(letter.attempts),
            letter.error or "",
            format_utc(letter.dead_at),
            str(letter.waiting),
        )
        for letter in await dead_letters.list_dead(session)
    ]
    widths = [max(map(len, column)) for column in zip(_COLUMNS, *rows, strict=True)]
    lines = (
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)) for row in (_COLUMNS, *rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m imghost_api dead-letters", description=(__doc__ or "").strip())
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("list", help="show them; WAITING are later events of the same subject that each holds back")
    requeue = verbs.add_parser("requeue", help="deliver them again: all, or those chosen")
    requeue.add_argument("--subscriber")
    requeue.add_argument("--event", type=int)
    discard = verbs.add_parser("discard", help="give one up: its subscriber never receives it, later ones follow")
    discard.add_argument("--subscriber", required=True)
    discard.add_argument("--event", type=int, required=True)
    return parser
