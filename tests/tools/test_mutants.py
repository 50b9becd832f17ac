"""The run that counts changes of the code which no test notices."""

import configparser
from pathlib import Path

import pytest

from imghost_dev import mutants
from imghost_dev.mutant_areas import AREAS, Area

ROOT = Path(__file__).parents[2]
NAMES = [f"imghost_api.plans.quota.x_next_month__mutmut_{number}" for number in range(50)]


@pytest.mark.parametrize("area", AREAS)
def test_an_area_names_what_exists(area: str) -> None:
    """Every module and every test that an area names is there, so that a renamed one cannot leave the run silently."""
    for pattern in AREAS[area].modules:
        assert [path for root in mutants.SOURCES for path in (ROOT / root).glob(pattern)], pattern
    for name in AREAS[area].tests:
        assert (ROOT / name).exists(), name


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    """A sample has the size asked for, or everything there is; another seed gives another sample."""
    assert mutants.sample(NAMES, 20, seed=1) == mutants.sample(NAMES, 20, seed=1)
    assert mutants.sample(NAMES, 20, seed=1) != mutants.sample(NAMES, 20, seed=2)
    assert len(mutants.sample(NAMES, 20, seed=1)) == 20
    assert mutants.sample(NAMES, 1000, seed=1) == NAMES


def test_an_area_becomes_settings_of_the_program() -> None:
    """The settings name the modules below `src`, the tests, and which of them to leave out."""
    parser = configparser.ConfigParser()
    area = Area(("imghost_api/plans/*",), ("tests/api/plans",), markers="not node", names="not slow")
    parser.read_string(mutants.settings(area))
    assert parser["mutmut"]["only_mutate"].split() == ["src/imghost_api/plans/*"]
    assert parser["mutmut"]["pytest_add_cli_args_test_selection"].split() == ["tests/api/plans"]
    assert parser["mutmut"]["pytest_add_cli_args"].splitlines()[-4:] == ["-m", "not node", "-k", "not slow"]


def test_a_module_is_reported_with_what_was_noticed() -> None:
    """Survivors, and mutants that no test reaches, are not noticed; a time-out is, and is counted by itself too."""
    statuses = dict(zip(NAMES, ["killed", "survived", "no tests", "timeout"], strict=False))
    statuses["imghost_api.crypto.digests.x_keyed_digest__mutmut_1"] = "killed"
    assert mutants.report(statuses).splitlines() == [
        "| `imghost_api.crypto.digests` | 1 of 1 |",
        "| `imghost_api.plans.quota` | 2 of 4, 1 out of time |",
    ]
