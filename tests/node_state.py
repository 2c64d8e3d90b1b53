"""The state of a node as text, section by section, to compare before and after.

Left out is what moves by itself: counters, ages, conntrack timers, and the heartbeat of the cluster's objects.
"""

from __future__ import annotations

import re

State = dict[str, list[str]]  # the lines of each section
SECTIONS = {
    "sysctl": "cd /proc/sys/net && grep -rs . . | grep -v -e conntrack_count -e /stat/ -e nf_log | sort",
    "nft": "nft -s list ruleset 2>/dev/null | sed -E 's/counter packets [0-9]+ bytes [0-9]+//'",
    "iptables": "iptables-save | sed -E 's/\\[[0-9]+:[0-9]+\\]//; /^#/d'",
    "legacy": "cat /proc/net/ip_tables_names",
    "links": "ip -o link | sed -E 's/^[0-9]+: //; s/ qlen.*//; s/state [A-Z]+//'",
    "addresses": "ip -o address | awk '{print $2, $3, $4}' | sort",
    "routes": "ip -o route show table all | grep -v 'cache' | sort",
    "rules": "ip rule; ip -6 rule",
    "neighbours": "ip neigh show nud permanent",
    "ports": "bridge -d link show | sed -E 's/^[0-9]+: //'",
    "ipsets": "ipset list -t 2>/dev/null; ipset save 2>/dev/null",
    "queues": "tc qdisc show; for d in $(ip -o link | sed -E 's/^[0-9]+: ([^:@]+).*/\\1/'); do "
    "tc filter show dev $d; tc filter show dev $d ingress; done",
    "ipsec": "ip xfrm policy; ip xfrm state",
    "pods": "for n in /run/netns/*; do echo $n; nsenter --net=$n sh -c 'ip -o address | cut -c 4-; "
    "ip route show table all; ip rule; ip neigh show nud permanent; nft -s list ruleset'; done 2>/dev/null | "
    "sed -E 's/(valid|preferred)_lft [0-9a-z]+//g'",
    # two calls for all zones: each is a Python that starts
    "firewalld": "if systemctl -q is-active firewalld; then firewall-cmd --list-all-zones; "
    "firewall-cmd --permanent --list-all-zones; firewall-cmd --direct --get-all-rules; "
    "firewall-cmd --permanent --direct --get-all-rules; fi",
    "files": "find /etc/firewalld /etc/sysctl.d /etc/modules-load.d /etc/cni /etc/kubernetes /etc/netdoctor "
    "/etc/systemd/system -type f -exec stat -c '%n %a %u %g' {} + -exec sha256sum {} + | sort",
    "objects": "kubectl get pods,services,endpointslices,configmaps,secrets,deployments,daemonsets,nodes -A "
    "-o custom-columns=KIND:.kind,NS:.metadata.namespace,NAME:.metadata.name,UID:.metadata.uid --no-headers | sort",
    "specs": "kubectl get services,deployments,daemonsets -A --no-headers -o custom-columns=KIND:.kind,"
    "NS:.metadata.namespace,NAME:.metadata.name,REPLICAS:.spec.replicas,SELECTOR:.spec.selector,PORTS:.spec.ports "
    "| sort",
    "state": "ls -R /var/lib/netdoctor 2>/dev/null",
}
OUTSIDE_SECTIONS = {
    f"outside_{name}": SECTIONS[name]
    for name in ("sysctl", "nft", "links", "addresses", "routes", "rules", "neighbours", "queues")
}


def script(parts: dict[str, str]) -> str:
    """Shell lines that print each section under its name."""
    return "\n".join(f"echo '### {name}'; {{ {command}; }} || true" for name, command in parts.items())


SCRIPT, OUTSIDE_SCRIPT = script(SECTIONS), script(OUTSIDE_SECTIONS)


def sections(text: str) -> State:
    """What SCRIPT printed, by section."""
    found: State = {}
    name = ""
    for line in text.splitlines():
        if match := re.fullmatch(r"### (\w+)", line):
            name = match[1]
            found[name] = []
        elif name:
            found[name].append(line.rstrip())
    return {name: _by_chain(lines) if name.endswith("nft") else lines for name, lines in found.items()}


def _by_chain(ruleset: list[str]) -> list[str]:
    """The lines of `nft list ruleset`, each after its table and chain: rules keep their order, chains have none."""
    blocks: dict[str, list[str]] = {}
    path: list[str] = []
    for line in ruleset:
        word = line.strip()
        if word.startswith(("table ", "chain ", "set ", "map ")) and word.endswith("{"):
            path.append(word.removesuffix(" {"))
            blocks.setdefault(" ".join(path), [])
        elif word == "}" and path:
            path.pop()
        elif word:
            blocks.setdefault(" ".join(path), []).append(word)
    return [f"{place}: {word}" for place in sorted(blocks) for word in ["", *blocks[place]]]


# what others write whenever they like, by their own names: kube-proxy's and the CNI plugins' chains and the rules that
# lead into them, kube-proxy's tables of mode nftables, and the single pods that the plugin `firewall` puts into a zone;
# and the built-in chains of iptables-nft, which come with the first of these rules and which firewalld 1.3 deletes
OWNED = {
    "nft": re.compile(
        r"table (?:ip6? kube-proxy\b|\S+ \S+ chain (?:KUBE|CNI)-)|.*(?:jump|goto) (?:KUBE|CNI)-|"
        r"table ip6? (?:filter|nat) chain [A-Z]+: (?:type .*; policy accept;)?$|"
        # a zone has these once something is in it, and keeps them
        r"table inet firewalld chain \w+_trusted(?:_\w+)?: (?:jump \w+_trusted_\w+|accept)?$|"
        r"table inet firewalld .*\b10\.244\.\d+\.\d+(?!/|\d)"
    ),
    "iptables": re.compile(r":(?:KUBE|CNI)-|-A (?:KUBE|CNI)-|-A .* -[jg] (?:KUBE|CNI)-"),
}


def without_owners(state: State) -> State:
    """The state without the rules that kube-proxy and the CNI's plugins keep: they come and go by themselves."""
    return {name: [line for line in lines if not _is_owned(name, line)] for name, lines in state.items()}


def owners_sorted(state: State) -> State:
    """The state with those rules behind the others and sorted: their owners write them in any order."""
    found = without_owners(state)
    for name, lines in state.items():
        found[name] += sorted(line for line in lines if _is_owned(name, line))
    return found


def _is_owned(section: str, line: str) -> bool:
    return section in OWNED and OWNED[section].match(line) is not None


# names and numbers that each pod and each interface gets: a node whose CoreDNS was replaced is none the worse
GIVEN = tuple(
    (re.compile(words), instead)
    for words, instead in (
        (r"\bveth[0-9a-f]{8}\b", "veth"),
        (r"@if\d+\b", "@if"),
        (r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b", "mac"),
        (r"\bfe80::[0-9a-f:]+|\bff02::1:ff[0-9a-f:]+", "fe80"),
        (r"\bcni-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "cni"),
        (r"\b(CNI|CNI-DN|CNI-HOSTPORT)-[0-9a-f]{20,24}\b", r"\1"),
        (r"\bKUBE-SEP-[A-Z2-7]{16}\b", "KUBE-SEP"),
        (r"\b[0-9a-f]{64}\b", "container"),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "uid"),
        (r"\b([a-z-]+-[0-9a-f]{8,10})-[a-z0-9]{5}\b", r"\1"),
        (r"\b(kube-proxy|kube-dns|postgres|echo)-[a-z0-9]{5}\b", r"\1"),
        (r"\b10\.244\.0\.\d+\b", "10.244.0.N"),
        (r"\blink-netnsid \d+", "link-netnsid"),
        (r"\blink-netns \S+", "link-netns"),
        (r" +", " "),
    )
)


def without_given_names(state: State) -> State:
    """The state with one name in place of each that a pod is given by chance, each section sorted."""
    return {name: sorted(map(_without_given, lines)) for name, lines in state.items()}


def _without_given(line: str) -> str:
    for words, instead in GIVEN:
        line = words.sub(instead, line)
    return line


def difference(before: State, after: State, leave_out: tuple[str, ...] = ()) -> str:
    """The lines that came and went, "" where nothing did."""
    changes = []
    for name, lines in before.items():
        if name in leave_out:
            continue
        gone = [line for line in lines if line not in after.get(name, [])]
        came = [line for line in after.get(name, []) if line not in lines]
        changes += [f"{name}: - {line}" for line in gone] + [f"{name}: + {line}" for line in came]
        if not gone and not came and lines != after.get(name, []):
            changes.append(f"{name}: the order changed")
    return "\n".join(changes)
