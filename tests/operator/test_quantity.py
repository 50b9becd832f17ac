"""Quantities in the form the API server keeps them in."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from imghost_operator import quantity
from support.kube import Kube
from support.kubeapi import KubeApi

SPELLINGS = st.builds(
    lambda number, part, suffix: f"{number}{part}{suffix}",
    st.integers(0, 999_999),
    st.sampled_from(["", ".5", ".25", ".001", ".100"]),
    st.sampled_from(["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]),
)


@given(SPELLINGS)
@example("791531.25Ki")
def test_canonical_form_keeps_the_value_and_is_stable(spelling: str) -> None:
    """The canonical form means the same (rounded up to a nano) and is its own canonical form."""
    written = quantity.canonical(spelling)
    assert 0 <= quantity.parse(written) - quantity.parse(spelling) < 10**-9
    assert quantity.canonical(written) == written


@pytest.mark.parametrize("nonsense", ["", "50 MB", "-1", "1e3", "Mi", "1.", ".5", "1mi", "٣", "1Mi\n"])
def test_nonsense_is_refused_with_help(nonsense: str) -> None:
    """What is no quantity is refused with an example of one."""
    with pytest.raises(ValueError, match="write for example"):
        quantity.parse(nonsense)


def test_limits_in_bytes_round_up() -> None:
    """A limit in bytes is never smaller than what was asked for."""
    assert quantity.whole("1.5Ki") == 1536
    assert quantity.whole("0.001Ki") == 2
    assert quantity.whole(7) == 7


def test_the_server_writes_the_same_form(kube: Kube) -> None:
    """A real API server stores our canonical form for each of many spellings."""
    spellings = ["0", "0.5", "1000m", "1500m", "1024Mi", "1.5Gi", "100000", "1023", "1024", "0.001Ki", "1.5", "999Ti"]
    spellings += ["0Mi", "512Ki", "2048Ki", "1000Ki", "10M", "1000M", "0.1Gi", "1m", "100k", "12345678"]
    hard = {f"requests.example.com/n{number}": spelling for number, spelling in enumerate(spellings)}
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "spellings", "namespace": "default"},
        "spec": {"hard": hard},
    }
    api = KubeApi(kube)
    response = api.create(quota, "dryRun=All")
    api.close()
    assert response.status == 201, response.body
    assert response.body["spec"]["hard"] == {name: quantity.canonical(amount) for name, amount in hard.items()}
