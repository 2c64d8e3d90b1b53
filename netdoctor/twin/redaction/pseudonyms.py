"""Other addresses and names for those that identify somebody: one mapping for a whole recording, raw and in text."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Iterator
from itertools import count

from netdoctor.twin.redaction import comments
from netdoctor.twin.redaction.relocation import V4, V6, Blocks

NEW_MAC = b"\x02\x00\x5e"
NOT_AN_IDENTIFIER = b"\0\0\0"  # no maker of interfaces; bytes that are everywhere
# the last 4 bytes are an IPv4 address: mapped, translated (NAT64)
EMBEDDED = (b"\0" * 10 + b"\xff\xff", b"\0\x64\xff\x9b" + b"\0" * 8)
SOLICITED = b"\xff\x02" + b"\0" * 9 + b"\x01\xff"  # the group of an address's last 3 bytes
SOLICITED_MAC = b"\x33\x33\xff"
GENERIC = frozenset(("localhost", "localhost.localdomain", "node", "host", "outside"))
NEW_NAME = re.compile(r"node-\d+")

START = r"(?:(?<![\w.])|(?<=\\[nrt]))"  # of a word; an escaped newline is none of its letters
QUAD = r"(?:\d{1,3}\.){3}\d{1,3}"
IPV4 = re.compile(rf"{START}({QUAD})(?:(/)(\d{{1,2}}|{QUAD})|(-)({QUAD}))?(?!\w|\.\d|\.in-addr)")
REVERSE = re.compile(rf"{START}({QUAD})(?=\.in-addr\.arpa)")
REVERSE6 = re.compile(rf"{START}((?:[0-9a-f]\.){{31}}[0-9a-f])(?=\.ip6\.arpa)", re.IGNORECASE)
IPV6 = re.compile(
    r"(?:(?<![\w.:])|(?<=[^\W0-9A-Fa-f]:)|(?<=\\[nrt]))((?:[0-9A-Fa-f]{0,4}:){2,8}(?:[0-9A-Fa-f]{1,4}|(?<=::)))"
    r"(?:/(\d{1,3}))?(?!\w|:[\w:]|\.\d)"
)
MACS = re.compile(
    r"(?:(?<![\w:])|(?<=[^\W0-9A-Fa-f]:)|(?<=\w\w\w:)|(?<=\\[nrt]))(?:[0-9A-Fa-f]{2}:){5,}[0-9A-Fa-f]{2}(?![0-9A-Fa-f])"
)
NAMED_BY_MAC = re.compile(r"\b(?P<kind>(?:en|wl|ww)x)(?P<mac>[0-9a-f]{12})(?![0-9a-f])")
RAW_NAMED_BY_MAC = re.compile(rb"((?:en|wl|ww)x)([0-9a-f]{12})(?![0-9a-f])")
# what a rule writes to the log, and what it looks for in packets
SAID = re.compile(
    r"(?P<option>(?:--(?:log|nflog)-prefix|--(?:hex-)?string)[ \t]+|\bprefix[ \t]+(?=\"))"
    r'(?:"(?:[^"\\\n]|\\.)*"|[^\s"]+)'
)
COMMENT = re.compile(
    r'(?P<head>\bcomment[ \t]+)"(?P<text>(?:[^"\\\n]|\\.)*)"|(?P<option>--comment[ \t]+)(?P<word>[^\s"]+)'
)
CHAIN = re.compile(r"(?:\[[^]]*\] )?-[AI] (\S+)")


class Pseudonyms:
    """What stands for which address, interface and host in a recording; the same for the same, wherever it appears.

    `hosts` are names of hosts, which become node-1, node-2 (with their first labels); one that is also in `keep`, the
    namespaces, Services and pods of the recording, is a word of its own and stays. The names of pods, Services and
    namespaces stay, as do chains', tables' and sets': the report needs them.
    """

    def __init__(self, hosts: Iterable[str] = (), keep: Iterable[str] = ()) -> None:
        self._hosts, self._keep = tuple(hosts), tuple(keep)
        self._v4, self._v6 = Blocks(V4), Blocks(V6)
        self._done: dict[bytes, bytes] = {}
        self._macs: dict[bytes, bytes] = {}
        self._used: set[bytes] = set()  # new MAC addresses that the recording has itself
        self._ends: dict[bytes, bytes] = {}  # the last 3 bytes of a MAC address
        self._makers: re.Pattern[bytes] | None = None
        self._names = _names(self._hosts, frozenset(self._keep) | GENERIC)
        self._any_name: re.Pattern[str] | None = None
        if self._names:
            longest = sorted(self._names, key=len, reverse=True)
            each = "|".join(re.escape(name) for name in longest)
            self._any_name = re.compile(rf"(?:(?<!\w)|(?<=\\[nrt]))(?:{each})(?!\w|-\w)", re.IGNORECASE)

    def fresh(self) -> Pseudonyms:
        """One that knows no address yet, to see what there is."""
        return Pseudonyms(self._hosts, self._keep)

    def adopt(self, seen: Pseudonyms) -> None:
        """Place everything that another one saw before anything is written: the order of addresses stays."""
        self._used |= seen._used
        self._v4.adopt(seen._v4)
        self._v6.adopt(seen._v6)
        for address in seen._macs:
            self.mac(address)
        self._done.clear()

    def raw(self, address: bytes) -> bytes:
        """The address that stands for one of 4 or 16 bytes; bytes of another length as they are."""
        if len(address) not in (4, 16):
            return address
        if address not in self._done:
            self._done[address] = self._address(address)
        return self._done[address]

    def prefix(self, address: bytes, length: int) -> bytes:
        """The same for a prefix of so many bits."""
        rest = 8 * len(address) - length
        number = int.from_bytes(address, "big")
        if len(address) not in (4, 16) or rest <= 0 or number & ((1 << rest) - 1):
            return self.raw(address)  # also an interface's: its address with the length of its network
        if len(address) == 16 and address.startswith(EMBEDDED):
            return address[:12] + (self.prefix(address[12:], length - 96) if length > 96 else address[12:])
        return self._blocks(address).prefix(number, length).to_bytes(len(address), "big")

    def span(self, first: bytes, last: bytes) -> tuple[bytes, bytes]:
        """The same for a range, both ends included."""
        if first == last or len(first) not in (4, 16):
            return self.hardware(first), self.hardware(last) if first == last else last
        low, high = self._blocks(first).span(int.from_bytes(first, "big"), int.from_bytes(last, "big"))
        return low.to_bytes(len(first), "big"), high.to_bytes(len(first), "big")

    def connect(self, address: bytes, length: int) -> None:
        """Note the network of an interface."""
        self._blocks(address).connect(int.from_bytes(address, "big"), length)

    def known(self, address: bytes) -> bool:
        """Whether this address was met as one, and does not stay."""
        return len(address) in (4, 16) and int.from_bytes(address, "big") in self._blocks(address).known

    def mac(self, address: bytes) -> bytes:
        """The MAC address that stands for one of a maker's; a local one, a group's and zero stay."""
        if address.startswith(SOLICITED_MAC):
            return address[:3] + self._ends.get(address[3:], address[3:])
        if address[0] & 3 or not any(address):
            self._used |= {address} if address.startswith(NEW_MAC) else set()
            return address
        if address not in self._macs:
            numbers = (NEW_MAC + number.to_bytes(3, "big") for number in count(len(self._macs) + 1))
            taken = self._used.union(self._macs.values()) if self._used else ()
            new = next(number for number in numbers if number not in taken)
            self._macs[address] = new
            self._ends.setdefault(address[3:], new[3:])
            self._makers = None
        return self._macs[address]

    def hardware(self, address: bytes) -> bytes:
        """A link-layer address: a MAC address, or of a tunnel the IP address of its end."""
        return self.mac(address) if len(address) == 6 else self.raw(address)

    def swept(self, data: bytes) -> bytes:
        """Bytes without any MAC address that is known, wherever it is in them, also as an interface's name."""
        data = RAW_NAMED_BY_MAC.sub(lambda m: m[1] + self.mac(bytes.fromhex(m[2].decode())).hex().encode(), data)
        if not self._makers:
            makers = {address[:3] for address in self._macs} - {NOT_AN_IDENTIFIER}
            each = b"|".join(re.escape(maker) for maker in sorted(makers)) or b"(?!)"
            self._makers = re.compile(b"(?:" + each + b")...", re.DOTALL)
        return self._makers.sub(lambda m: self._macs.get(m[0], m[0]), data)

    def comment(self, comment: str, chain: str = "") -> str:
        """A rule's comment: kube-proxy's and the network plugins' stay, any other is blanked."""
        return self.text(comment) if comments.stays(comment, chain) else comments.BLANK

    def text(self, text: str) -> str:
        """The same mapping in a text: addresses, prefixes, ranges, MAC addresses, hosts; rules' comments blanked."""
        text = COMMENT.sub(self._comment, text)
        text = SAID.sub(rf'\g<option>"{comments.BLANK}"', text)
        text = MACS.sub(self._mac, text)
        text = NAMED_BY_MAC.sub(lambda m: m["kind"] + self.mac(bytes.fromhex(m["mac"])).hex(), text)
        text = REVERSE.sub(lambda m: _reverse(self._word(_reverse(m[1]))), text)
        text = REVERSE6.sub(self._nibbles, text)
        text = IPV6.sub(self._ipv6, text)
        text = IPV4.sub(self._ipv4, text)
        if self._any_name:
            text = self._any_name.sub(lambda m: self._names[m[0].lower()], text)
        return text

    def _blocks(self, address: bytes) -> Blocks:
        return self._v4 if len(address) == 4 else self._v6

    def _address(self, address: bytes) -> bytes:
        if len(address) == 4:
            return self._v4.address(int.from_bytes(address, "big")).to_bytes(4, "big")
        if address.startswith(EMBEDDED):
            return address[:12] + self.raw(address[12:])
        if address.startswith(SOLICITED):
            return address[:13] + self._ends.get(address[13:], address[13:])
        moved = self._v6.address(int.from_bytes(address, "big")).to_bytes(16, "big")
        if address[11:13] == b"\xff\xfe" and address[8] & 2 and address[0] != 0xFF:
            mac = self.mac(bytes([address[8] ^ 2]) + address[9:11] + address[13:])  # EUI-64: the bit says "global"
            moved = moved[:8] + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
        return moved

    def _comment(self, match: re.Match[str]) -> str:
        start = match.string.rfind("\n", 0, match.start()) + 1
        rule = CHAIN.match(match.string, start)
        plain = match["word"] if match["head"] is None else re.sub(r"\\(.)", r"\1", match["text"])
        if comments.stays(plain, rule[1] if rule else ""):
            return match[0]
        return f'{match["head"] or match["option"]}"{comments.BLANK}"'

    def _mac(self, match: re.Match[str]) -> str:
        """One, or two with a type as the kernel logs a packet; of another length it is none."""
        octets = bytes.fromhex(match[0].replace(":", ""))
        if len(octets) not in (6, 12, 14):
            return match[0]
        parts = [octets[start : start + 6] for start in range(0, len(octets), 6)]
        after = b"".join(self.mac(part) if len(part) == 6 else part for part in parts)
        if after == octets:
            return match[0]
        return after.hex(":").upper() if match[0].isupper() else after.hex(":")

    def _ipv4(self, match: re.Match[str]) -> str:
        first, slash, length, dash, last = match.groups()
        try:
            address = ipaddress.IPv4Address(first).packed
            if dash:
                end = ipaddress.IPv4Address(last).packed
                ends = self.span(address, end) if address <= end else (self.raw(address), self.raw(end))
                return "-".join(map(_text, ends))
            if slash:
                network = ipaddress.IPv4Network((address, length), strict=False)
                return f"{_text(self.prefix(address, network.prefixlen))}/{length}"
        except ValueError:  # no address, or what follows is neither one nor a length
            return self._word(first) + (dash or slash or "") + self._word(last or length or "")
        return _text(self.raw(address))

    def _word(self, word: str) -> str:
        try:
            return _text(self.raw(ipaddress.ip_address(word).packed))
        except ValueError:
            return word

    def _ipv6(self, match: re.Match[str]) -> str:
        word, length = match.groups()
        try:
            before = ipaddress.IPv6Address(word).packed
        except ValueError:
            return match[0]
        after = self.prefix(before, int(length)) if length else self.raw(before)
        return match[0] if after == before else _text(after) + (f"/{length}" if length else "")

    def _nibbles(self, match: re.Match[str]) -> str:
        address = bytes.fromhex(match[1].replace(".", "")[::-1])
        return ".".join(self.raw(address).hex()[::-1])


def _names(hosts: Iterable[str], keep: frozenset[str]) -> dict[str, str]:
    """New names of hosts, by the old ones in small letters; an address is not a name, and node-1 has one already."""
    given = {host.lower().rstrip(".") for host in hosts} - {""}
    firsts = {host.partition(".")[0] for host in given}
    free = _free_names(firsts)
    found: dict[str, str] = {}
    for host in sorted(given):
        first = host.partition(".")[0]
        is_new_already = host == first and NEW_NAME.fullmatch(host)
        if is_new_already or _is_address(host) or host in keep:
            continue
        if NEW_NAME.fullmatch(first):
            found[host] = first
            continue
        new = found[first] if first in given and first in found else next(free)
        found[host] = new
        if first not in keep:
            found.setdefault(first, new)
    return found


def _free_names(taken: set[str]) -> Iterator[str]:
    """node-1, node-2 and so on, without those that are taken."""
    for number in count(1):
        if (new := f"node-{number}") not in taken:
            yield new


def _is_address(word: str) -> bool:
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return True


def _text(address: bytes) -> str:
    return str(ipaddress.ip_address(address))


def _reverse(quad: str) -> str:
    return ".".join(reversed(quad.split(".")))
