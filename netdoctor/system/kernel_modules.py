"""Kernel modules: which are there, and which a program has the kernel load when it only reads.

The kernel loads a module when somebody asks for what it serves: a netlink subsystem, a table, a match, a link of some
kind. `nft list` loads nf_tables, `conntrack -L` loads nf_conntrack_netlink. Looking changes nothing, so whatever would
load a module that is not there is not asked.

Sources: net/netlink/af_netlink.c (net-pf-16-proto-N), net/netfilter/nfnetlink.c (nfnetlink-subsys-N),
net/netfilter/nft_compat.c and x_tables.c (ipt_NAME, iptable_NAME), net/netfilter/nf_tables_api.c (nft-expr-N-NAME,
nft-chain-N-NAME) and net/packet/af_packet.c (net-pf-17) of Linux; strace of the programs (iptables 1.8.9, nftables
1.0.6, ipset 7.17).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from netdoctor.errors import CannotRead

LOADED = Path("/proc/modules")  # missing where the kernel loads no modules at all
FOLDERS = Path("/sys/module")
BUILT_IN = Path("/lib/modules")  # below it, by release: modules.builtin
NFT = ("nf_tables",)
# iptables-nft asks nft_compat for the revision of each match that it prints, also of those that are not nft_compat's
IPTABLES_NFT = ("nf_tables", "nft_compat")
LEGACY, LEGACY6 = ("ip_tables",), ("ip6_tables",)
# Every program that may be started while netdoctor looks, and what it asks the kernel for. ip, in the ways in which it
# is called here, asks rtnetlink alone, which is part of the kernel.
PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "crictl": (),
    "ctr": (),
    "ip": (),
    "ip6tables-legacy-restore": LEGACY6,
    "ip6tables-legacy-save": LEGACY6,
    "ip6tables-nft": IPTABLES_NFT,
    "ip6tables-nft-restore": IPTABLES_NFT,
    "ip6tables-nft-save": IPTABLES_NFT,
    "ipset": ("ip_set",),
    "iptables-legacy": LEGACY,
    "iptables-legacy-restore": LEGACY,
    "iptables-legacy-save": LEGACY,
    "iptables-nft": IPTABLES_NFT,
    "iptables-nft-restore": IPTABLES_NFT,
    "iptables-nft-save": IPTABLES_NFT,
    "nft": NFT,
    "systemctl": (),
}
EITHER = "iptables-save"  # a link to the one or the other
# a socket's protocol of AF_NETLINK, and the subsystem in the type of a message of netfilter's
PROTOCOLS = {6: "xfrm_user", 12: "nfnetlink"}
SUBSYSTEMS = {1: "nf_conntrack_netlink", 7: "nfnetlink_acct", 10: "nf_tables"}
PACKET = "af_packet"
# what rules of netdoctor's own, in a copy or around a trace, ask for beside nf_tables
STATEMENTS = {
    " dnat to ": "nft_nat",
    " masquerade": "nft_masq",
    "type nat hook ": "nft_chain_nat",
    " ct state ": "nft_ct",
    " ct direction ": "nft_ct",
    " limit rate ": "nft_limit",
}

_there: set[str] = set()


def present(name: str) -> bool:
    """Whether a module is loaded or part of the kernel. Raises CannotRead where that cannot be told."""
    if name in _there:
        return True
    if _is_there(name):
        _there.add(name)  # what netdoctor relies on may be asked for again; what is missing may come at any time
        return True
    return False


def _is_there(name: str) -> bool:
    try:
        loaded = LOADED.read_text(encoding="ascii", errors="replace")
    except FileNotFoundError:
        return True
    except OSError as error:
        raise CannotRead.of(str(LOADED), error) from error
    if any(line.startswith(f"{name} ") for line in loaded.splitlines()) or (FOLDERS / name).is_dir():
        return True
    listed = BUILT_IN / os.uname().release / "modules.builtin"
    try:
        text = listed.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise CannotRead(
            str(listed), f"not readable: whether the kernel has {name} cannot be told, and asking might load it"
        ) from error
    return f"/{name}.ko" in text.replace("-", "_")


def loadable(name: str) -> bool:
    """Whether this kernel has a module of that name to load."""
    listed = BUILT_IN / os.uname().release / "modules.dep"
    with suppress(OSError):
        return f"/{name}.ko" in listed.read_text(encoding="utf-8", errors="replace").replace("-", "_")
    return False


def require(name: str, source: str) -> None:
    """Raise CannotRead, for this source, unless the module is there."""
    if not present(name):
        raise CannotRead(source, f"the kernel module {name} is not loaded, and a check does not load it")


def allow(argv: Sequence[str], stdin: str | None = None) -> None:
    """Raise CannotRead where this command would have a module loaded, or where that is not known."""
    program = program_of(argv)
    if program == EITHER:
        program = backend(program)
    if program not in PROGRAMS:
        raise CannotRead(program, "a check does not start this program: it might load a kernel module")
    needed = list(PROGRAMS[program])
    if program == "nft" and stdin:
        needed += [module for words, module in STATEMENTS.items() if words in stdin]
    for name in needed:
        require(name, program)


def backend(program: str) -> str:
    """iptables-nft-save or iptables-legacy-save: where the link iptables-save leads to. Itself where it is missing."""
    found = shutil.which(program)
    if found is None:
        return program
    return "iptables-nft-save" if "nft" in Path(found).resolve().name else "iptables-legacy-save"


def program_of(argv: Sequence[str]) -> str:
    """The program's name; behind `env NAME=value ...`, the one that env starts."""
    words = list(argv)
    if words[0] == "env":
        words = [word for word in words[1:] if "=" not in word]
    return Path(words[0]).name
