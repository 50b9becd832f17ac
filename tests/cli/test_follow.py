"""Following logs."""

from pathlib import Path

from imghost_cli.follow import Follower


def texts(follower: Follower) -> list[str]:
    return [line.text for line in follower.new()]


def test_new_whole_lines_are_printed_once(tmp_path: Path) -> None:
    """A line that is still being written waits until it is whole, and no line is printed twice."""
    log = tmp_path / "imghost-demo" / "api-0.log"
    log.parent.mkdir()
    log.write_text("old\n")
    follower = Follower(tmp_path)
    follower.skip()
    with log.open("a") as out:
        out.write("one\ntw")
        out.flush()
        assert texts(follower) == ["one"]
        out.write("o\n")
        out.flush()
        assert texts(follower) == ["two"]
    assert texts(follower) == []


def test_a_truncated_log_is_followed_from_its_beginning(tmp_path: Path) -> None:
    """Logs are emptied when they grow too large; what comes after is still printed."""
    log = tmp_path / "api.log"
    log.write_text("a long line that was there before\n")
    follower = Follower(tmp_path)
    assert len(texts(follower)) == 1
    log.write_text("new\n")
    assert texts(follower) == ["new"]


def test_only_the_wanted_sources_and_the_last_lines(tmp_path: Path) -> None:
    """`imghost logs api --tail 2` prints two lines of each api and nothing of others."""
    for name in ("api-0", "api-1", "imaging-0"):
        (tmp_path / f"{name}.log").write_text("".join(f"{name} line {number}\n" for number in range(5)))
    follower = Follower(tmp_path, "api")
    assert [line.text for line in follower.last(2)] == [
        f"api-{pod} line {number}" for pod in (0, 1) for number in (3, 4)
    ]
    assert texts(follower) == []
