"""The command that operators use on dead letters."""

import os
import subprocess
import sys

from support.eventually import eventually
from support.outbox import Happened, Outbox, Session, happened


def command(outbox: Outbox, *arguments: str) -> list[str]:
    """Lines it prints."""
    argv = [sys.executable, "-m", "imghost_api", "dead-letters", *arguments]
    environment = {**os.environ, "DATABASE_URL": outbox.tenant.url("api")}
    ended = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


async def test_dead_letters_are_listed_requeued_and_discarded(outbox: Outbox) -> None:
    """`dead-letters list` shows each with its reason and what it holds back; `requeue` delivers it again, `discard`
    gives it up.
    """

    async def fail(_: Session, event: Happened) -> None:
        if event.number < 3:
            raise ValueError("canary")

    async with outbox.dispatcher(outbox.keep("reader", fail)):
        for number in (1, 2, 3):
            await outbox.publish(happened("a", number))
        dead = "SELECT event_id FROM event_deliveries WHERE dead_at IS NOT NULL"
        ((first,),) = await eventually(lambda: outbox.tenant.query(dead), why="a dead letter")
        routed = "SELECT count(*) FROM event_deliveries"
        await eventually(lambda: outbox.tenant.query(routed) == [(3,)], why="the other two wait behind it")
    heading, line = command(outbox, "list")
    assert heading.split() == ["EVENT", "SUBSCRIBER", "TYPE", "SUBJECT", "ATTEMPTS", "ERROR", "SINCE", "WAITING"]
    assert line.split()[:6] == [str(first), "reader", "test.happened", "test/a", "3", "ValueError"]
    assert line.split()[-1] == "2"
    assert "canary" not in line
    assert command(outbox, "requeue", "--subscriber", "other") == ["0 requeued"]
    assert command(outbox, "requeue") == ["1 requeued"]
    assert command(outbox, "list") == ["EVENT  SUBSCRIBER  TYPE  SUBJECT  ATTEMPTS  ERROR  SINCE  WAITING"]
    async with outbox.dispatcher(outbox.keep("reader", fail)):
        await eventually(lambda: outbox.tenant.query(dead), why="a dead letter again")
        assert command(outbox, "discard", "--subscriber", "reader", "--event", str(first)) == ["1 discarded"]
        await eventually(lambda: outbox.tenant.query(dead) == [(first + 1,)], why="the next one fails as well")
        assert command(outbox, "discard", "--subscriber", "reader", "--event", str(first + 1)) == ["1 discarded"]
        await eventually(lambda: outbox.received("reader") == [3], why="what waited follows")
