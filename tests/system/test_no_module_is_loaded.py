"""Looking loads no kernel module: not on a node whose only firewall is legacy iptables, and not by any command.

The kernel of a test machine may have everything built in, so the test looks at what would be asked of it: every program
that netdoctor starts, by wrappers on PATH, and every socket that it opens, by an audit hook. `ASKS` says what each of
them has the kernel load, independently of netdoctor's own table.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from netdoctor.changes import _conntrack
from netdoctor.changes.kube_proxy import translate
from netdoctor.errors import CannotRead
from netdoctor.experiments.interventions import masquerade_pods
from netdoctor.facts.node.iptables import Iptables
from netdoctor.system import kernel_modules
from netdoctor.system.host import Host
from netdoctor.system.nft_trace import listen
from netdoctor.system.traffic import Answer
from netdoctor.twin.build import build
from netdoctor.twin.wire.netlink import NETFILTER, Netlink
from netdoctor.twin.wire.nfnetlink import nfgenmsg
from netdoctor.twin.wire.nftables import GET, SUBSYSTEM, TABLE
from tests.conftest import ROOT
from tests.twin.network import ADDRESS, CLUSTER_IP, FLOWS, SERVER, Node, real, small_node

# a node as CentOS 7 or a host with `update-alternatives --set iptables /usr/sbin/iptables-legacy` has it
THERE = (
    "af_packet", "bridge", "ip_tables", "iptable_filter", "nf_conntrack", "veth", "x_tables", "xt_comment", "xt_tcpudp",
)  # fmt: skip
# by the start of a command line; sources: net/netfilter/nfnetlink.c, net/ipv4/netfilter/ip_tables.c,
# iptables/xtables-save.c, iptables/iptables-save.c, lib/session.c of ipset, src/conntrack.c, misc/ss.c
ASKS = {
    r"(ip6?tables|ebtables|arptables)-nft.*": ("nf_tables", "nft_compat"),
    r"iptables-legacy-save( -c)?": ("ip_tables", "iptable_filter"),
    r"iptables-legacy-save .*-t (\w+).*": ("ip_tables", r"iptable_\1"),
    r"iptables-legacy .*": ("ip_tables", "iptable_nat"),
    r"ip6tables-legacy.*": ("ip6_tables", "ip6table_filter"),
    r"iptables(-save)?( .*)?": ("ip_tables", "iptable_filter"),  # a link to the legacy program, on this node
    r"ip6tables(-save)?( .*)?": ("ip6_tables", "ip6table_filter"),
    r"nft .*": ("nf_tables",),
    r"ipset .*": ("ip_set",),
    r"conntrack .*": ("nf_conntrack_netlink",),
    r"ss .*": ("inet_diag", "tcp_diag", "udp_diag", "netlink_diag"),
    r"tc .*": ("sch_ingress",),
    r"(modprobe|insmod) .*": ("what it is told to",),
    r"ip (-\w+ )*(address|route|rule|link|neigh\w*) (show|get).*": (),
    r"systemctl show .*": (),
    r"(ctr|crictl) .*images? .*": (),
}
WRAPPED = (
    "iptables", "iptables-save", "iptables-nft", "iptables-nft-save", "iptables-legacy", "iptables-legacy-save",
    "ip6tables", "ip6tables-save", "ip6tables-nft", "ip6tables-nft-save", "ip6tables-legacy", "ip6tables-legacy-save",
    "nft", "ipset", "conntrack", "ss", "tc", "modprobe", "insmod", "ip", "systemctl", "ctr", "crictl", "ebtables",
    "arptables", "bridge", "lsmod", "firewall-cmd",
)  # fmt: skip
FAMILIES = {int(socket.AF_PACKET): "af_packet"}
PROTOCOLS = {4: "inet_diag", 6: "xfrm_user", 12: "nfnetlink"}
PRELUDE = """
import sys
def noted(event, arguments):
    if event == "socket.__new__":
        print("socket", *(int(a) for a in arguments[1:4]), file=log, flush=True)
log = open(sys.argv.pop(1), "a")
sys.addaudithook(noted)
from pathlib import Path
from netdoctor.system import kernel_modules
root = Path(sys.argv.pop(1))
kernel_modules.LOADED, kernel_modules.FOLDERS, kernel_modules.BUILT_IN = root / "modules", root / "sys", root / "lib"
from netdoctor.cli import main
main()
"""
needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("iptables-legacy"),
    reason="needs root, unshare and iptables-legacy",
)


@pytest.fixture
def legacy_only(tmp_path: Path) -> Path:
    """What such a node's kernel says of its modules."""
    (tmp_path / "sys").mkdir()
    listed = tmp_path / "lib" / os.uname().release / "modules.builtin"
    listed.parent.mkdir(parents=True)
    listed.write_text("kernel/net/ipv4/netfilter/nf_defrag_ipv4.ko\n")
    (tmp_path / "modules").write_text("".join(f"{name} 16384 1 - Live 0x0000000000000000\n" for name in THERE))
    return tmp_path


@pytest.fixture
def here(legacy_only: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same for this process."""
    monkeypatch.setattr(kernel_modules, "LOADED", legacy_only / "modules")
    monkeypatch.setattr(kernel_modules, "FOLDERS", legacy_only / "sys")
    monkeypatch.setattr(kernel_modules, "BUILT_IN", legacy_only / "lib")
    monkeypatch.setattr(kernel_modules, "_there", set())
    return legacy_only


def wrappers(folder: Path, log: Path) -> Path:
    """A folder for PATH whose programs note how they are called."""
    folder.mkdir()
    for name in WRAPPED:
        wrapper = folder / name
        legacy = name.replace("tables", "tables-legacy") if name in ("iptables", "iptables-save") else name
        real = shutil.which(legacy)
        run = f'exec {real} "$@"' if real else "echo 'no such program here' >&2; exit 127"
        wrapper.write_text(f'#!/bin/sh\necho "{name} $*" >>{log}\n{run}\n')
        wrapper.chmod(0o755)
    return folder


def asked(line: str) -> tuple[str, ...]:
    """The modules that a noted program or socket has the kernel load where they are not there."""
    if line.startswith("socket "):
        family, _, protocol = map(int, line.split()[1:])
        if family == socket.AF_NETLINK:
            return (PROTOCOLS[protocol],) if protocol in PROTOCOLS else ()
        return (FAMILIES[family],) if family in FAMILIES else ()
    command = line.strip()
    for words, modules in ASKS.items():
        if match := re.fullmatch(words, command):
            return tuple(match.expand(module) for module in modules)
    return (f"unknown, of {command}",)


@pytest.mark.thorough
@needs_root
@pytest.mark.parametrize(
    "command",
    [["check"], ["record", "-"], ["gate"], ["fix", "--dry-run"], ["trace", "host", "8.8.8.8", "53"]],
    ids=" ".join,
)  # fmt: skip
def test_a_whole_command_asks_for_no_module(command: list[str], legacy_only: Path) -> None:
    log = legacy_only / "asked"
    path = f"{wrappers(legacy_only / 'bin', log)}:{os.environ['PATH']}"
    setup = "ip link set lo up; iptables-legacy -A FORWARD -p tcp --dport 5432 -j DROP; "
    inside = setup + 'export PATH="$WRAPPED"; cd /; exec "$@"'
    argv = [sys.executable, "-c", PRELUDE, str(log), str(legacy_only), *command]
    environment = {**os.environ, "WRAPPED": path, "PYTHONPATH": str(ROOT), "KUBECONFIG": "/nowhere"}
    done = subprocess.run(
        ["unshare", "--net", "sh", "-ec", inside, "sh", *argv], check=False, capture_output=True, text=True,
        env=environment, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    lines = log.read_text().splitlines()
    assert lines, done.stderr
    missing = {line: [m for m in asked(line) if m not in THERE] for line in lines}
    assert not {line: modules for line, modules in missing.items() if modules}
    if command[0] == "record":  # the rules that are there are read all the same
        assert "--dport 5432 -j DROP" in done.stdout
        assert not json.loads(done.stdout)["facts"]["Iptables"]["fact"]["unread"]


def test_the_nft_backend_is_not_asked_for_rules_that_it_cannot_have(here: Path) -> None:
    assert Iptables.collect(Host()).nft.chains == {}


@pytest.mark.parametrize(
    "argv",
    [
        ["nft", "list", "ruleset"],
        ["/usr/sbin/nft", "-f", "-"],
        ["iptables-nft-save"],
        ["ip6tables-nft", "-S"],
        ["ip6tables-legacy-save"],
        ["env", "XTABLES_LOCKFILE=/dev/null", "ip6tables-legacy-restore"],
        ["ipset", "save"],
        ["conntrack", "-L"],
        ["ss", "-lntp"],
        ["modprobe", "nf_tables"],
        ["sh", "-c", "nft list ruleset"],
        ["env", "sh", "-c", "nft list ruleset"],
    ],
    ids=" ".join,
)
def test_a_program_that_would_load_one_is_not_started(argv: list[str], here: Path) -> None:
    with pytest.raises(CannotRead, match=r"a check does not (load it|start this program)"):
        Host().run(argv)


def test_where_something_is_changed_programs_may_load_what_they_need(here: Path) -> None:
    assert Host(loads=True).run(["sh", "-c", "echo made"]) == "made\n"


def test_rules_of_our_own_need_what_their_statements_need(here: Path) -> None:
    with (here / "modules").open("a") as file:
        file.write("nf_tables 1 1 - Live 0x0\n")
    kernel_modules.allow(["nft", "-f", "-"], "table ip t { }")
    with pytest.raises(CannotRead, match="nft_masq"):
        kernel_modules.allow(["nft", "-f", "-"], "add rule ip t c masquerade")


def test_sockets_that_would_load_one_are_not_opened(here: Path) -> None:
    for ask in (listen, lambda: Netlink(NETFILTER), lambda: Netlink(6)):
        with pytest.raises(CannotRead, match="a check does not load it"):
            ask()


def test_a_subsystem_of_netfilter_that_is_not_there_is_not_asked(here: Path) -> None:
    with (here / "modules").open("a") as file:
        file.write("nfnetlink 1 1 - Live 0x0\n")
    with Netlink(NETFILTER) as netlink, pytest.raises(CannotRead, match="nf_tables is not loaded"):
        netlink.dump(SUBSYSTEM | GET[TABLE], nfgenmsg(0))


@real
def test_connections_are_deleted_where_the_kernel_may_load_what_that_takes(node: Node, here: Path) -> None:
    """A repair may have nf_conntrack_netlink loaded, where the kernel has it; a rehearsal deletes nothing then."""
    assert not _conntrack.available()
    (here / "lib" / os.uname().release / "modules.dep").write_text(
        "kernel/net/netfilter/nf-conntrack-netlink.ko.xz: kernel/net/netfilter/nfnetlink.ko.xz\n"
    )
    assert _conntrack.available()
    node.sh("iptables-nft -A FORWARD -m conntrack --ctstate ESTABLISHED")  # which has them tracked
    assert node.ask(FLOWS["pod"]).answer is Answer.OK
    inside = node.namespaces["node"].run
    assert inside(lambda: _conntrack.forget(Host(), lambda _: True)) == 0
    assert inside(lambda: _conntrack.forget(Host(loads=True), lambda _: True)) > 0


def test_what_is_built_in_or_has_a_folder_is_there(here: Path) -> None:
    assert kernel_modules.present("nf_defrag_ipv4")
    (here / "sys" / "nft_compat").mkdir()
    assert kernel_modules.present("nft_compat")
    assert not kernel_modules.present("nf_tables")
    assert not kernel_modules.present("table")  # part of a name is no name


def test_what_cannot_be_told_is_not_asked(here: Path) -> None:
    shutil.rmtree(here / "lib")
    with pytest.raises(CannotRead, match="cannot be told"):
        Host().run(["nft", "list", "ruleset"])


@pytest.fixture
def node() -> Iterator[Node]:
    with small_node() as made:
        yield made


@real
def test_no_copy_is_made_of_links_whose_kind_the_kernel_has_not_loaded(node: Node, here: Path) -> None:
    (here / "modules").write_text((here / "modules").read_text().replace("veth", "vethless"))
    state = node.state()
    assert state.node.nftables == ()
    with pytest.raises(CannotRead, match="veth is not loaded"):
        build(state)


@real
def test_a_copy_does_without_connections_that_the_kernel_cannot_be_told(node: Node, here: Path) -> None:
    """A recording of a node that tracks connections, judged where nf_conntrack_netlink is not loaded."""
    state = node.state()
    build(replace(state, node=replace(state.node, conntrack=(b"\2\0\0\0",)))).close()


@pytest.mark.thorough
@real
def test_translations_are_tried_with_what_the_kernel_has(node: Node, here: Path) -> None:
    """A node on which kube-proxy and the CNI write rules of iptables: nft_nat and nft_masq are not there."""
    with (here / "modules").open("a") as file:
        file.writelines(f"{name} 1 1 - Live 0x0\n" for name in (
            "nfnetlink", "nf_tables", "nft_compat", "nft_chain_nat", "xt_nat", "xt_MASQUERADE",
        ))  # fmt: skip
    node.sh("iptables-nft -t nat -F")
    flows = [FLOWS["service"], FLOWS["outside"]]
    twin = build(node.state())
    try:
        assert not any(twin.ask(flow).arrived for flow in flows)
        twin.run(lambda: translate(Host(), [(CLUSTER_IP, "tcp", 5432, ADDRESS[SERVER], 5432)], 1))
        twin.run(lambda: masquerade_pods._load(("10.244.0.0/24",)))
        assert all(twin.ask(flow).arrived for flow in flows)
        assert twin.ask(FLOWS["service"]).answer is node.ask(FLOWS["pod"]).answer
    finally:
        twin.close()
