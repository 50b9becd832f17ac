"""The list of the slowest tests."""

from pathlib import Path

import pytest

from imghost_dev import slowest

REPORT = "<testsuites><testsuite>{cases}</testsuite></testsuites>"


def test_the_slowest_of_all_reports_come_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Tests of several runs are compared, no more than ten are shown, and a missing report is no error."""
    for number in range(2):
        cases = "".join(
            f'<testcase classname="tests.file{number}" name="test_{seconds}" time="{seconds}.{number}" />'
            for seconds in range(8)
        )
        (tmp_path / f"{number}.xml").write_text(REPORT.format(cases=cases))
    slowest.main([str(tmp_path / name) for name in ("0.xml", "1.xml", "absent.xml")])
    header, *lines = capsys.readouterr().out.splitlines()
    assert header == "the 10 slowest of 16 tests:"
    assert [line.split()[0] for line in lines] == ["7.1", "7.0", "6.1", "6.0", "5.1", "5.0", "4.1", "4.0", "3.1", "3.0"]
    assert lines[0].endswith("tests.file1::test_7")
