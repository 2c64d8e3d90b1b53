"""Corefiles and resolv.conf."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead
from netdoctor.facts.cluster.coredns import Corefile, Upstream, Upstreams, nameservers, parse_upstream, search_list
from netdoctor.system.host import Host
from tests.builders import pods, services
from tests.facts.texts import COREFILE

OURS, STUB = "    forward . 8.8.8.8 1.1.1.1\n", "    forward . 10.77.0.53\n"


class TestCoredns:
    def test_forwards_of_the_root_zone(self) -> None:
        found = Corefile.parse(COREFILE)
        assert (found.forwards, found.problem) == (("8.8.8.8", "1.1.1.1:5353"), "")
        assert "#" in COREFILE
        assert "#" not in found.text  # comments are their writer's

    @pytest.mark.parametrize(
        ("block", "zones"),
        [
            (".:53 {\n kubernetes cluster.local in-addr.arpa ip6.arpa {\n pods insecure\n }\n}", ("cluster.local",)),
            (".:53 {\n kubernetes Clouster.Local. a.example\n}", ("clouster.local", "a.example")),
            ("dns://cluster.local:53, b.example {\n kubernetes\n}", ("cluster.local", "b.example")),
            (". {\n kubernetes\n}", (".",)),
            (". {\n forward . 8.8.8.8\n}", ()),
            (". {\n kubernetes $(reboot)\n}", ()),
        ],
    )
    def test_the_zones_of_its_plugin_kubernetes(self, block: str, zones: tuple[str, ...]) -> None:
        assert Corefile.parse(block).zones == zones

    @pytest.mark.parametrize(
        ("text", "forwards"),
        [
            (f".:53 {{\n{OURS}}}\ncorp.example:53 {{\n    errors\n{STUB}}}\n", True),
            (f"corp.example:53 {{\n{STUB}}}\n.:53 {{\n{OURS}}}\n", True),
            (f"corp.example {{\n{STUB}}}\ndns://.:53 {{\n{OURS}}}\n", True),
            (f"corp.example . {{\n{OURS}}}\n", True),
            (f"corp.example,\n.:53 {{\n{OURS}}}\n", True),
            (f".:53\n{{\n    cache {{\n    }}\n{OURS}}}\n", True),
            (f".:53\nerrors\n{OURS}", True),
            (f"import custom/*.server\n.:53 {{\n    import custom/*.override\n{OURS}}}\n", True),
            (f"(out) {{\n{OURS}}}\n(stub) {{\n{STUB}}}\n.:53 {{\n    import out\n}}\n", True),
            (f".:53 {{\n{OURS}}}\n(stub) {{\n{STUB}}}\nx.example {{\n    import stub\n}}\n", True),
            (f"corp.example:53 {{\n{STUB}}}\n", False),
            (f"(stub) {{\n{STUB}}}\n.:53 {{\n    errors\n    import\n    import none\n}}\n", False),
        ],
    )  # fmt: skip
    def test_forwards_of_other_zones_are_not_its_upstreams(self, text: str, forwards: bool) -> None:
        found = Corefile.parse(text)
        assert (found.forwards, found.problem) == (("8.8.8.8", "1.1.1.1") if forwards else (), "")

    def test_options_on_the_same_line_are_no_upstreams(self) -> None:
        assert Corefile.parse(".:53 {\n forward . 8.8.8.8 { max_concurrent 1000 }\n}\n").forwards == ("8.8.8.8",)

    def test_where_braces_are_missing_every_forward_counts(self) -> None:
        for text in (f".:53 {{\n    cache {{\n{OURS}}}\n", f".:53 {{\n    errors\n    }}\n}}\n{OURS}}}\n"):
            found = Corefile.parse(text)
            assert found.forwards == ("8.8.8.8", "1.1.1.1")
            assert "blocks are opened" in found.problem

    @pytest.mark.parametrize(
        ("text", "says"),
        [("", "empty"), ("# only a comment\n", "empty"), (".:53 {\n errors\n", "1 blocks are opened and 0 closed"),
         ("}\n", "0 blocks are opened and 1 closed")],
    )  # fmt: skip
    def test_what_coredns_refuses(self, text: str, says: str) -> None:
        assert says in Corefile.parse(text).problem

    @pytest.mark.parametrize(
        ("word", "upstream"),
        [
            ("8.8.8.8", Upstream("8.8.8.8", 53, False)),
            ("8.8.8.8:5353", Upstream("8.8.8.8", 5353, False)),
            ("dns://8.8.8.8", Upstream("8.8.8.8", 53, False)),
            ("tls://9.9.9.9", Upstream("9.9.9.9", 853, True)),
            ("tls://9.9.9.9:8853", Upstream("9.9.9.9", 8853, True)),
            ("[2001:db8::1]:5353", Upstream("2001:db8::1", 5353, False)),
            ("2001:db8::1", Upstream("2001:db8::1", 53, False)),
            ("fe80::1%eth0", Upstream("fe80::1", 53, False)),
            ("resolver.example", None),
            ("8.8.8.8:99999", None),
            ("8.8.8.8:" + "9" * 5000, None),
            ("", None),
            ("[]", None),
        ],
    )
    def test_upstream(self, word: str, upstream: Upstream | None) -> None:
        assert parse_upstream(word) == upstream

    def test_nameservers(self) -> None:
        text = "# nameserver 9.9.9.9\nsearch x\nnameserver 192.0.2.1 # here\n nameserver\t192.0.2.2\nnameserver\n"
        assert nameservers(text) == ("192.0.2.1", "192.0.2.2")

    def test_what_is_no_address_and_no_domain_is_left_out(self) -> None:
        text = "nameserver evil.example\nnameserver 1.2.3.4\x1b[2J\nnameserver fe80::1%eth0\nnameserver ::1%\u202e\n"
        assert nameservers(text + "nameserver 999.1.1.1\nnameserver fe80::1%a/b") == ("fe80::1%eth0",)
        text = f"search a.svc.cluster.local svc.{'x' * 64} svc.a;b svc.cluster.local. {'a.' * 200} \u202e .\n"
        assert search_list(text) == ("a.svc.cluster.local", "svc.cluster.local.", ".")


@dataclass(frozen=True)
class Node(Host):
    """A host with one resolv.conf, and this process as CoreDNS's, with one of its own and a cgroup."""

    text: str = ""
    own: str = ""
    cgroup: str = ""

    def read(self, path: str | Path) -> str:
        mine = Path("/proc") / str(os.getpid())
        known = {mine / "cgroup": self.cgroup}
        if text := known.get(Path(path)):
            return text
        raise CannotRead(str(path), "not there")

    def read_or_none(self, path: str | Path) -> str | None:
        return self.text if str(path) == "/etc/resolv.conf" else None

    def read_in_pod(self, uid: str, pid: str, path: str) -> str | None:
        return self.own if pid == str(os.getpid()) and uid and path == "etc/resolv.conf" else None


NO_COREFILE = CannotRead("API server", "connection refused")


class TestUpstreams:
    def test_without_a_corefile_the_nodes_own_resolvers_stand_for_it(self) -> None:
        found = Upstreams.collect(
            Node(text="nameserver 127.0.0.53\nnameserver 192.0.2.53\n"), NO_COREFILE, NO_COREFILE, NO_COREFILE
        )
        assert found.items == (Upstream("192.0.2.53", 53, False),)
        assert found.source == "/etc/resolv.conf: no Corefile can be read"

    def test_one_that_answers_the_node_alone_stands_for_nothing(self) -> None:
        with pytest.raises(CannotRead, match="connection refused"):
            Upstreams.collect(Node(text="nameserver 127.0.0.53\n"), NO_COREFILE, NO_COREFILE, NO_COREFILE)

    def test_nor_does_it_where_coredns_own_file_cannot_be_read(self) -> None:
        corefile = Corefile.parse(".:53 {\n forward . /etc/resolv.conf\n}\n")
        found = Upstreams.collect(
            Node(text="nameserver 127.0.0.1\nnameserver 192.0.2.53\n"), corefile, pods(), services()
        )
        assert found.items == (Upstream("192.0.2.53", 53, False),)
        with pytest.raises(CannotRead, match="loopback"):
            Upstreams.collect(Node(text="nameserver 127.0.0.1\nnameserver ::1\n"), corefile, pods(), services())
        corefile = Corefile.parse(".:53 {\n forward . /etc/resolv.conf 8.8.8.8\n}\n")
        found = Upstreams.collect(Node(text="nameserver 127.0.0.1\n"), corefile, pods(), services())
        assert found.items == (Upstream("8.8.8.8", 53, False),)

    @pytest.mark.parametrize("uid", ["pod1cbdf820-1b76", "kubepods-burstable-pod1cbdf820_1b76.slice"])
    def test_coredns_own_file_is_found_by_its_cgroup(self, uid: str) -> None:
        corefile = Corefile.parse(".:53 {\n forward . /etc/resolv.conf\n}\n")
        node = Node(text="nameserver 192.0.2.53\n", own="nameserver 198.51.100.53\n", cgroup=f"0::/kubepods/{uid}/x\n")
        found = Upstreams.collect(node, corefile, pods(uid="1cbdf820-1b76"), services())
        assert found.items == (Upstream("198.51.100.53", 53, False),)
        assert found.source == "Corefile -> /etc/resolv.conf in CoreDNS's pod"
