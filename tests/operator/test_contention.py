"""Pauses between writes of an object that something else keeps changing."""

from imghost_operator.contention import FREE_WRITES, LONGEST_PAUSE_SECONDS, QUIET_SECONDS, Contention
from imghost_operator.platform import ObjectRef

API = ObjectRef("Deployment", "imghost-demo", "api")
OTHER = ObjectRef("Deployment", "imghost-demo", "imaging")


class Clock:
    """A time that tests move."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def write(contention: Contention, clock: Clock, times: int) -> list[float]:
    """Write as soon as it is allowed; returns the pauses."""
    pauses = []
    for _ in range(times):
        pauses.append(contention.pause(API, "a"))
        clock.now += pauses[-1]
        contention.note(API, "a")
    return pauses


def test_the_first_writes_are_free_and_then_pauses_grow() -> None:
    """A fight is slowed down to one write in half a minute, and other objects are not."""
    clock = Clock()
    contention = Contention(clock)
    pauses = write(contention, clock, FREE_WRITES + 12)
    assert pauses[: FREE_WRITES + 1] == [0.0] * (FREE_WRITES + 1)
    grown = pauses[FREE_WRITES + 1 :]
    assert grown[:4] == [1.0, 2.0, 4.0, 8.0]
    assert grown[-1] == LONGEST_PAUSE_SECONDS
    assert contention.pause(OTHER, "a") == 0.0


def test_new_content_and_a_quiet_time_end_the_pauses() -> None:
    """A changed spec is written immediately, and so is an object that nothing changed for some time."""
    clock = Clock()
    contention = Contention(clock)
    write(contention, clock, FREE_WRITES + 4)
    assert contention.pause(API, "b") == 0.0
    assert contention.pause(API, "a") > 0.0
    clock.now += QUIET_SECONDS + 1
    contention.note(API, "a")
    assert contention.pause(API, "a") == 0.0


def test_a_deleted_tenant_is_forgotten() -> None:
    """A tenant of the same name has no history."""
    clock = Clock()
    contention = Contention(clock)
    write(contention, clock, FREE_WRITES + 2)
    contention.forget("imghost-demo")
    assert contention.pause(API, "a") == 0.0
