from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.organization.networks import NetworkTable, parse_client


@pytest.mark.parametrize(
    ("shown", "meant"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
    ],
)
def test_a_client_is_its_address_however_the_listener_shows_it(shown: str, meant: str) -> None:
    address = ipaddress.ip_address(meant)
    assert parse_client(shown) == (address.version, int(address))


@pytest.mark.parametrize("no_address", ["", "/run/posthouse.sock", "10.0.0.300", "localhost"])
def test_what_is_no_address_is_no_client(no_address: str) -> None:
    assert parse_client(no_address) is None


networks = st.builds(
    lambda network: ipaddress.ip_network(network, strict=False),
    st.one_of(
        st.tuples(st.integers(0, 7).map(lambda low: f"10.0.0.{low}"), st.integers(0, 32)),
        st.tuples(st.integers(0, 7).map(lambda low: f"2001:db8::{low}"), st.integers(0, 128)),
    ).map(lambda pair: f"{pair[0]}/{pair[1]}"),
)


@given(st.lists(networks, max_size=8), st.sampled_from(("10.0.0.5", "2001:db8::5", "203.0.113.1", "::")))
def test_find_gives_every_network_that_holds_the_client_longest_first(networks: list, client: str) -> None:
    table: NetworkTable[int] = NetworkTable()
    for index, network in enumerate(networks):
        table.add(network, index)
    table.freeze()
    parsed = parse_client(client)
    assert parsed is not None
    found = table.find(parsed)
    holding = [index for index, network in enumerate(networks) if ipaddress.ip_address(client) in network]
    assert sorted(index for _, index in found) == holding
    assert [prefix for prefix, _ in found] == sorted((networks[index].prefixlen for index in holding), reverse=True)
