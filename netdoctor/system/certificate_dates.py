"""From when until when a certificate is valid: read from its DER alone (RFC 5280), nothing else of it is kept."""

from __future__ import annotations

import base64
import binascii
import re
from calendar import timegm
from time import strptime

BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]{1,65536}?)-----END CERTIFICATE-----")
SEQUENCE, VERSION, UTC_TIME, GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
BEFORE_VALIDITY = 3  # serial number, signature algorithm, issuer


def certificates(text: str) -> tuple[bytes, ...]:
    """The certificates of a PEM file, in its order; keys in it are passed over."""
    found = []
    for block in BLOCK.findall(text):
        try:
            found.append(base64.b64decode("".join(block.split()), validate=True))
        except (binascii.Error, ValueError):
            continue
    return tuple(found)


def dates(der: bytes) -> tuple[int, int]:
    """The first and the last second of a certificate since the epoch. Raises ValueError."""
    certificate, _ = _inside(der, SEQUENCE)
    rest, _ = _inside(certificate, SEQUENCE)
    if rest[:1] == bytes([VERSION]):
        _, rest = _inside(rest, VERSION)
    for _ in range(BEFORE_VALIDITY):
        _, rest = _inside(rest)
    validity, _ = _inside(rest, SEQUENCE)
    begins, after = _time(validity)
    ends, _ = _time(after)
    return begins, ends


def _inside(data: bytes, tag: int | None = None) -> tuple[bytes, bytes]:
    """What the first element of DER holds, and what follows it. Raises ValueError."""
    if len(data) < 2 or (tag is not None and data[0] != tag):
        raise ValueError("not the expected element")
    length, begin = data[1], 2
    if length & 0x80:
        begin += length & 0x7F
        length = int.from_bytes(data[2:begin], "big")
    if begin > len(data) or length > len(data) - begin:
        raise ValueError("an element that is longer than the data")
    return data[begin : begin + length], data[begin + length :]


def _time(data: bytes) -> tuple[int, bytes]:
    """A moment, and what follows it: UTCTime until 2049, GeneralizedTime after that."""
    value, rest = _inside(data)
    form = {UTC_TIME: "%y%m%d%H%M%SZ", GENERALIZED_TIME: "%Y%m%d%H%M%SZ"}.get(data[0])
    if form is None:
        raise ValueError("not a time")
    return timegm(strptime(value.decode("ascii", errors="replace"), form)), rest
