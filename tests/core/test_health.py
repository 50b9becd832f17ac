"""The health report that the probes of every process send."""

from imghost_core.health import HealthReport


def test_a_failing_check_makes_the_report_503_and_names_every_check() -> None:
    """One failing check is enough for 503 with Retry-After; the body has the result of every check."""
    report = HealthReport({"database": "ok", "store": "no response within 3 s"})
    assert (report.status, report.headers["Retry-After"]) == (503, "2")
    assert report.body == {
        "status": "unavailable",
        "checks": {"database": "ok", "store": "no response within 3 s"},
    }


def test_passing_checks_make_the_report_200() -> None:
    """With every check passed, or none to make, the report is 200, is not cached and names no time to retry."""
    for checks in ({"database": "ok"}, {}):
        report = HealthReport(checks)
        assert (report.status, report.body) == (200, {"status": "ok", "checks": checks})
        assert report.headers == {"Cache-Control": "no-store"}
