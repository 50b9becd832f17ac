"""Jobs of the local platform."""

import pytest

from imghost_local.state import State
from imghost_operator.platform import ObjectRef
from support.eventually import eventually
from support.local_platform import NAMESPACE, LocalPlatformHarness, job

TRY = "import pathlib; mark = pathlib.Path('../../../tried'); first = not mark.exists(); mark.touch()"


@pytest.mark.parametrize(
    ("code", "backoff", "condition", "words"),
    [
        ("raise SystemExit(0)", 0, "Complete", ""),
        ("raise SystemExit(3)", 0, "Failed", "last with exit code 3"),
        ("raise SystemExit(1)", 1, "Failed", "It failed 2 times"),
        (f"{TRY}; raise SystemExit(first)", 1, "Complete", ""),
    ],
    ids=["succeeds", "fails", "fails twice", "succeeds the second time"],
)
async def test_a_job_runs_to_its_end(
    local: LocalPlatformHarness, code: str, backoff: int, condition: str, words: str
) -> None:
    """A Job ends Complete, or Failed with the reason when its retries are used up, and wakes the operator."""
    await local.apply(job(code, backoff))

    def conditions() -> list[dict[str, str]]:
        stored = local.platform.objects.get(ObjectRef("Job", NAMESPACE, "job")) or {}
        return list(stored.get("status", {}).get("conditions", []))

    found = await eventually(conditions, 10)
    assert [entry["type"] for entry in found] == [condition]
    assert words in found[0].get("message", "")
    assert local.changes


async def test_a_job_past_its_deadline_fails(local: LocalPlatformHarness) -> None:
    """A Job that runs too long is ended and says so."""
    await local.apply(job("import time; time.sleep(600)", activeDeadlineSeconds=0.5))

    def failed() -> bool:
        stored = local.platform.objects.get(ObjectRef("Job", NAMESPACE, "job")) or {}
        return any(
            condition["reason"] == "DeadlineExceeded" for condition in stored.get("status", {}).get("conditions", [])
        )

    await eventually(failed, 10)


async def test_a_finished_job_does_not_run_again(local: LocalPlatformHarness, state: State) -> None:
    """A Job that was done stays done over a restart."""
    await local.apply(job("import pathlib; pathlib.Path('../../../runs').open('a').write('x')"))
    key = ObjectRef("Job", NAMESPACE, "job")
    await eventually(lambda: (local.platform.objects.get(key) or {}).get("status", {}).get("succeeded"), 10)
    await local.platform.close()
    again = LocalPlatformHarness(state)
    again.platform.resume("demo")
    await again.platform.close()
    assert (state.root / "runs").read_text() == "x"
