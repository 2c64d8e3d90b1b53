"""Bad text of every kind gives a fact or one sentence, never another exception."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from netdoctor.errors import CannotRead, NetdoctorError
from netdoctor.facts.cluster.coredns import Corefile, nameservers, parse_upstream
from netdoctor.facts.cluster.services import services_in_rules
from netdoctor.facts.gateways.database_login import parse_url
from netdoctor.facts.node.cni import Attachments, CniConfig
from netdoctor.facts.node.firewalld_rules import FORWARD, FirewalldRules
from netdoctor.facts.node.iptables import Ruleset, masquerade_sources
from netdoctor.facts.node.kube_proxy_rules import in_nftables
from netdoctor.facts.node.links import Links
from netdoctor.facts.node.sysctl import IP_FORWARD, SysctlFiles
from netdoctor.system.foreign_text import is_address, to_address, to_interface, to_network
from tests.facts.texts import CACHE, CONFLIST, COREFILE, IPTABLES, KUBE_PROXY_NFTABLES, LINKS, NFT


def cni_parse(text: str) -> object:
    try:
        return CniConfig("x", *CniConfig.parse(text), (), (), "").pod_network
    except ValueError as error:  # its own word for a bad file, which collect turns into a problem
        return str(error)


PARSERS: dict[str, tuple[Callable[[str], object], str]] = {
    "iptables": (lambda text: masquerade_sources(Ruleset.parse(text)), IPTABLES),
    "services": (lambda text: services_in_rules(tuple(text.splitlines())), IPTABLES),
    "cni": (cni_parse, CONFLIST),
    "cache": (Attachments.parse, CACHE),
    "corefile": (lambda text: [parse_upstream(word) for word in Corefile.parse(text).forwards], COREFILE),
    "nft": (lambda text: FirewalldRules.parse(text).last_word(FORWARD, "public"), NFT),
    "kube-proxy": (in_nftables, KUBE_PROXY_NFTABLES),
    "links": (Links.parse, LINKS),
    "sysctl": (lambda text: SysctlFiles({"/etc/sysctl.conf": text}).setting(IP_FORWARD), "net.ipv4.ip_forward = 1\n"),
    "nameservers": (nameservers, "search a b\nnameserver 192.0.2.1\n"),
    "url": (parse_url, "postgresql://user:pass@[::1]:5432/db?sslmode=require"),
}


def said_of(parse: Callable[[str], object], text: str) -> str:
    try:
        parse(text)
    except NetdoctorError as error:
        return str(error).strip()
    return ""


@pytest.mark.parametrize("name", list(PARSERS))
def test_damaged_text_gives_a_fact_or_one_sentence(name: str) -> None:
    parse, text = PARSERS[name]
    whole = text.encode()
    damaged = [whole[:length] for length in range(len(whole))]
    dice = random.Random(7)
    for _ in range(400):
        copy = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            copy[dice.randrange(len(copy))] = dice.randrange(256)
        damaged.append(bytes(copy))
    for data in damaged:
        assert "\n" not in said_of(parse, data.decode(errors="replace"))


def test_a_file_that_is_not_text_is_read_with_its_bytes_replaced(tmp_path: Path) -> None:
    from netdoctor.system.host import Host

    file = tmp_path / "junk"
    file.write_bytes(bytes(range(256)))
    assert "�" in Host().read(file)
    with pytest.raises(CannotRead, match="Is a directory"):
        Host().read(tmp_path)
    assert Host().read_or_none(file / "below") is None


def test_commands_end_in_one_sentence() -> None:
    from netdoctor.system.host import Host

    for argv, says in (
        (["/nonexistent"], "^/nonexistent is not installed$"),
        (["sh", "-c", "echo one; echo two >&2; exit 3"], "two"),
        (["sh", "-c", "exit 4"], "exit status 4"),
        (["sleep", "9"], "no answer within 0.1 s"),
    ):
        with pytest.raises(CannotRead, match=says):
            Host(loads=True).run(argv, timeout=0.1)


@pytest.mark.parametrize("scope", ["eth0", "", "x\ndrop", "1 accept; flush", "\u202e", "$(x)", "a" * 500])
def test_an_address_has_no_scope_where_none_is_asked_for(scope: str) -> None:
    """Python takes any text as one, and some of what is read so becomes a line of rules."""
    for read, text in (
        (to_address, f"fe80::1%{scope}"), (to_network, f"fe80::1%{scope}/64"), (to_network, f"fe80::1%{scope}"),
        (to_interface, f"fe80::1%{scope}/64"), (to_interface, f"fe80::1%{scope}"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6") as refused:
            read(text)
        assert "\n" not in str(refused.value)
    assert not is_address(f"fe80::1%{scope}")
    assert is_address(f"fe80::1%{scope}", scoped=True) == (scope == "eth0")
