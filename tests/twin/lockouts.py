"""Nodes on which a repair would cut off somebody's ssh, as packet filters let one person in and nobody else."""

from __future__ import annotations

from dataclasses import dataclass

from netdoctor.facts.node.connections import Connection
from tests.twin.network import NODE_ADDRESS

PERSON, JUMP_HOST = "192.0.2.7", "192.0.2.77"
FAR, FAR6, NODE6 = "203.0.113.9", "2001:db8:1::7", "2001:db8:1::10"
# what firewalld's table looks like where its zones let in nobody; {zone} enters the person's zone, if there is one
FIREWALLD = """nft -f - <<'END'
table inet firewalld {{
    set admins {{ type ipv4_addr; elements = {{ {person} }}; }}
    chain filter_INPUT {{
        type filter hook input priority 10
        ct state established,related accept
        iifname lo accept
        jump filter_INPUT_ZONES
        reject with icmpx admin-prohibited
    }}
    chain filter_INPUT_ZONES {{
        {zone}
        iifname eth0 goto filter_IN_public
    }}
    chain filter_IN_public {{
        {rich}
    }}
    chain filter_IN_office {{
        tcp dport 22 accept
    }}
    chain filter_INPUT_POLICIES {{
        {policy}
    }}
}}
END"""
POLICY_DROP = ("iptables-nft -P INPUT DROP", "iptables-nft -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT",
               "iptables-nft -A INPUT -s 10.244.0.0/24 -j ACCEPT")  # fmt: skip


def firewalld(zone: str = "", rich: str = "", policy: str = "", person: str = PERSON) -> str:
    """Commands that write a table as firewalld does."""
    jump = "jump filter_INPUT_POLICIES" if policy else ""
    return FIREWALLD.format(zone=f"{zone}\n{jump}", rich=rich, policy=policy, person=person)


@dataclass(frozen=True)
class LockOut:
    """One such node: how it is set up, how it lets the person in, and the repair that would end that."""

    title: str
    setup: tuple[str, ...]
    lets_in: tuple[str, ...]
    repair: tuple[str, ...]
    person: str = PERSON
    port: int = 22
    node: str = NODE_ADDRESS
    without: tuple[str, ...] = ()  # instead of `lets_in`, where nobody is let in by it

    def connection(self, *, you: bool = True) -> Connection:
        """The person's connection."""
        return Connection(self.person, 40022, self.node, self.port, inbound=True, login=True, you=you)


def _iptables(*arguments: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    rule = " ".join(arguments)
    return (f"iptables-nft -I INPUT {rule}",), (f"iptables-nft -D INPUT {rule}",)


def _lockouts() -> list[LockOut]:
    one, no_one = _iptables(f"-s {PERSON}", "-p tcp --dport 22 -j ACCEPT")
    moved, no_moved = _iptables(f"-s {PERSON}", "-p tcp --dport 2222 -j ACCEPT")
    by_set, no_set = _iptables("-m set --match-set admins src -j ACCEPT")
    jump, no_jump = _iptables(f"-s {JUMP_HOST}", "-p tcp --dport 22 -j ACCEPT")
    backend = f"iptables-nft -A IN_public_allow -s {PERSON} -p tcp --dport 22 -j ACCEPT"
    six = f"ip6tables-nft -I INPUT -s {FAR6} -p tcp --dport 22 -j ACCEPT"
    flush = "nft flush chain inet firewalld"
    return [
        LockOut("a direct rule for one address", POLICY_DROP, one, no_one),
        LockOut(
            "firewalld in iptables",
            (*POLICY_DROP, "iptables-nft -N IN_public_allow", "iptables-nft -A INPUT -j IN_public_allow"),
            (backend,), (backend.replace("-A", "-D"),),
        ),
        LockOut(
            "a zone's source", (), (firewalld(zone=f"ip saddr {PERSON} goto filter_IN_office"),),
            (f"{flush} filter_IN_office",), without=(firewalld(),),
        ),
        LockOut(
            "a policy", (), (firewalld(policy=f"ip saddr {PERSON} tcp dport 22 accept"),),
            (f"{flush} filter_INPUT_POLICIES",), without=(firewalld(policy="counter"),),
        ),
        LockOut(
            "a rich rule", (), (firewalld(rich=f"ip saddr {PERSON} tcp dport 22 accept"),),
            (f"{flush} filter_IN_public",), without=(firewalld(),),
        ),
        LockOut(
            "an ipset", (*POLICY_DROP, "ipset create admins hash:net", f"ipset add admins {PERSON}/32"), by_set, no_set,
        ),
        LockOut(
            "another tool's table",
            ("nft add table inet vpn",
             "nft 'add chain inet vpn in { type filter hook input priority 5; policy drop; }'",
             "nft add rule inet vpn in ip saddr 10.244.0.0/24 accept",
             "nft add rule inet vpn in ct state established accept",
             "nft add chain inet vpn staff",
             "nft add rule inet vpn in jump staff"),
            (f"nft insert rule inet vpn staff ip saddr {{ {PERSON}, {JUMP_HOST} }} tcp dport 22 accept",),
            ("nft flush chain inet vpn staff",),
        ),
        LockOut("a port of its own", POLICY_DROP, moved, no_moved, port=2222),
        LockOut(
            "IPv6", ("ip6tables-nft -P INPUT DROP", "ip6tables-nft -A INPUT -p icmpv6 -j ACCEPT"), (six,),
            (six.replace("-I", "-D"),), FAR6, node=NODE6,
        ),
        LockOut("through a jump host", POLICY_DROP, jump, no_jump, JUMP_HOST),
    ]  # fmt: skip


LOCKOUTS = {lockout.title: lockout for lockout in _lockouts()}
