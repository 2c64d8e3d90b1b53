"""Values that stand beside sentences in a report, for programs. Standard library only; everything is immutable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Values:
    """The values that evidence names, for programs: only those that are known are in a report."""

    family: str = ""  # of nftables: inet, ip, ip6, bridge, netdev
    table: str = ""
    chain: str = ""
    handle: int | None = None  # of the rule
    rule: str = ""  # as nft or iptables prints it
    pod: str = ""  # namespace/name; "test pod" for the one that netdoctor made, "" for the node itself
    service: str = ""  # namespace/name
    address: str = ""  # that was asked, or that it is about
    port: int | None = None
    protocol: str = ""  # tcp or udp
    name: str = ""  # that DNS was asked for
    answer: str = ""  # how the question ended, in a word: timeout, refused, prohibited, ...
    interface: str = ""
    route: str = ""  # as `ip route` prints it
    zone: str = ""  # of firewalld
    file: str = ""
    setting: str = ""  # the name of a sysctl
    value: str = ""  # that was found
    expected: str = ""  # that a healthy node has
    count: int | None = None  # how many are affected
    of: int | None = None  # of how many


@dataclass(frozen=True, slots=True)
class Versions:
    """What runs on the node; each "" where it is not known."""

    os: str = ""
    kernel: str = ""
    kubernetes: str = ""
    cni: str = ""  # the kind of its first plugin
    kube_proxy: str = ""  # its mode
    firewalld: str = ""  # "" also where it does not run
    nft: str = ""
    iptables: str = ""  # whose rules there are: nf_tables, legacy, or both
