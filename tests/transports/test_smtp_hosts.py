"""Which host a delivery goes to: MX, smart hosts, fail-over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from posthouse.mail import Delivery
from posthouse.net.dns import DnsTemporary, MxHost, NoSuchDomain, NullMx
from support.peers import CLOSE, GARBAGE, Peer

Mail = Callable[..., Delivery]


@pytest.fixture
def two_peers() -> Iterator[Callable[..., tuple[Peer, Peer]]]:
    """Two peers on one port of two addresses, 127.0.0.1 and 127.0.0.2; the first with a script."""
    running: list[Peer] = []

    def start(**answers) -> tuple[Peer, Peer]:
        running.append(Peer(**answers).__enter__())
        running.append(Peer(address=("127.0.0.2", running[0].port)).__enter__())
        return running[0], running[1]

    yield start
    for peer in running:
        peer.__exit__()


class TestMx:
    def test_the_hosts_are_tried_in_their_order(self, sender, two_peers):
        first, second = two_peers()
        sender.resolver.mx["example.net"] = [MxHost(10, "mx2.example.net"), MxHost(20, "mx1.example.net")]
        sender.resolver.hosts |= {"mx1.example.net": ["127.0.0.1"], "mx2.example.net": ["127.0.0.2"]}
        (outcome,) = sender.deliver(first)
        assert outcome.remote == "mx2.example.net [127.0.0.2]"
        assert len(second.messages) == 1

    @pytest.mark.parametrize(
        "script",
        [
            {"CONNECT": CLOSE},
            {"CONNECT": GARBAGE},
            {"CONNECT": "421 4.3.2 busy"},
            {"CONNECT": "554 5.3.2 no mail here"},
            {"EHLO": "421 4.3.2 busy"},
            {"MAIL": CLOSE},
        ],
    )
    def test_a_host_that_doesn_t_work_is_passed_over(self, sender, two_peers, script):
        first, second = two_peers(**script)
        sender.resolver.hosts["example.net"] = ["127.0.0.1", "127.0.0.2"]
        (outcome,) = sender.deliver(first)
        assert outcome.remote == "example.net [127.0.0.2]"
        assert len(second.messages) == 1

    @pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "CONTENT"])
    @pytest.mark.parametrize("reply", ["550 5.7.1 no", "451 4.3.0 later"])
    def test_a_refused_command_is_the_answer(self, sender, two_peers, stage: str, reply: str):
        first, second = two_peers(**{stage: reply})
        sender.resolver.hosts["example.net"] = ["127.0.0.1", "127.0.0.2"]
        (outcome,) = sender.deliver(first)
        assert outcome.remote == "example.net [127.0.0.1]"
        assert second.sessions == []

    def test_where_any_host_may_come_back_the_mail_waits(self, sender):
        with Peer(CONNECT="554 5.3.2 no mail here") as peer:
            sender.resolver.hosts["example.net"] = ["127.0.0.3", "127.0.0.1"]
            (outcome,) = sender.deliver(peer)
        assert (outcome.status, outcome.reply.enhanced) == ("deferred", "4.4.1")

    def test_it_waits_too_where_one_could_not_be_looked_up(self, sender):
        sender.resolver.mx["example.net"] = [MxHost(10, "slow.example.net"), MxHost(20, "example.net")]
        sender.resolver.hosts["slow.example.net"] = DnsTemporary("no server answered")
        with Peer(CONNECT="554 5.3.2 no mail here") as peer:
            (outcome,) = sender.deliver(peer)
        assert (outcome.status, outcome.reply.enhanced) == ("deferred", "4.4.3")

    def test_a_host_without_address_is_passed_over(self, sender):
        sender.resolver.mx["example.net"] = [MxHost(10, "gone.example.net"), MxHost(20, "mx.example.net")]
        sender.resolver.hosts["mx.example.net"] = ["127.0.0.1"]
        with Peer() as peer:
            (outcome,) = sender.deliver(peer)
        assert outcome.remote == "mx.example.net [127.0.0.1]"

    def test_of_a_thousand_addresses_only_some_are_tried(self, sender):
        sender.resolver.mx["example.net"] = [MxHost(n, "example.net") for n in range(1000)]
        sender.resolver.hosts["example.net"] = ["127.0.0.1"] * 1000
        with Peer(CONNECT="451 4.3.0 later") as peer:
            sender.deliver(peer)
        assert len(peer.sessions) == 10

    @pytest.mark.parametrize(
        ("mx", "fate", "words"),
        [
            (NullMx("x"), "failed 5.1.10", "example.net accepts no mail"),
            (NoSuchDomain("x"), "failed 5.1.2", "example.net does not exist"),
            (DnsTemporary("no server answered"), "deferred 4.4.3", "no server answered"),
            ([MxHost(0, "gone.example.net")], "failed 5.4.4", "No mail exchanger of example.net"),
            ([MxHost(0, "slow.example.net")], "deferred 4.4.3", "slow.example.net"),
            ([MxHost(0, "slow.example.net"), MxHost(0, "gone.example.net")], "deferred 4.4.3", "slow.example.net"),
        ],
    )
    def test_a_domain_that_leads_nowhere(self, sender, mx, fate: str, words: str):
        sender.resolver.mx["example.net"] = mx
        sender.resolver.hosts["slow.example.net"] = DnsTemporary("no server answered")
        (outcome,) = sender.deliver(1)
        assert f"{outcome.status} {outcome.reply.enhanced}" == fate
        assert words in outcome.reply.text
        assert outcome.remote == ""

    def test_the_destination_is_the_recipient_s_domain(self, sender):
        assert sender.transport(25).destination("b@Example.NET") == "example.net"


class TestSmartHosts:
    def test_they_are_one_destination_for_everybody(self, sender):
        sender.connector = replace(
            sender.connector, use_mx_record=False, smart_hosts=("a.example.org", "b.example.org")
        )
        transport = sender.transport(25)
        assert transport.destination("b@example.net") == transport.destination("c@example.com")

    @pytest.mark.parametrize("host", ["127.0.0.1", "[127.0.0.1]"])
    def test_an_address_needs_no_look_up(self, sender, host: str):
        sender.use_smart_hosts(host)
        sender.resolver.hosts[host] = ["127.0.0.1"]
        with Peer() as peer:
            (outcome,) = sender.deliver(peer)
        assert outcome.remote == "127.0.0.1 [127.0.0.1]"

    def test_the_next_one_steps_in(self, sender, two_peers):
        first, second = two_peers(CONNECT="421 4.3.2 busy")
        sender.connector = replace(
            sender.connector, use_mx_record=False, smart_hosts=("a.example.org", "b.example.org")
        )
        sender.resolver.hosts |= {"a.example.org": ["127.0.0.1"], "b.example.org": ["127.0.0.2"]}
        (outcome,) = sender.deliver(first)
        assert outcome.remote == "b.example.org [127.0.0.2]"
        assert len(second.messages) == 1

    def test_a_misspelt_one_costs_no_mail(self, sender):
        sender.use_smart_hosts("misspelt.example.org")
        (outcome,) = sender.deliver(25)
        assert (outcome.status, outcome.reply.enhanced) == ("deferred", "4.4.4")
        assert "misspelt.example.org" in outcome.reply.text


class TestSourceAddress:
    def test_the_server_sees_it(self, sender):
        sender.connector = replace(sender.connector, source_address="127.0.0.9")
        with Peer() as peer:
            sender.deliver(peer)
        assert peer.sessions[0].client == "127.0.0.9"

    def test_hosts_of_the_other_family_are_out_of_its_reach(self, sender):
        sender.connector = replace(sender.connector, source_address="127.0.0.9")
        sender.resolver.hosts["example.net"] = ["::1", "127.0.0.1"]
        with Peer() as peer:
            (outcome,) = sender.deliver(peer)
        assert outcome.remote == "example.net [127.0.0.1]"

    def test_one_that_this_machine_doesn_t_have(self, sender):
        sender.connector = replace(sender.connector, source_address="192.0.2.1")
        with Peer() as peer:
            (outcome,) = sender.deliver(peer)
        assert (outcome.status, outcome.reply.enhanced) == ("deferred", "4.4.1")
        assert "192.0.2.1" in outcome.reply.text
