"""gzip of a stranger's: how much it becomes is limited while it is unpacked, whatever it says of itself."""

from __future__ import annotations

import zlib

from netdoctor.errors import BadInput

MAGIC = b"\x1f\x8b"
GZIP = 16 + zlib.MAX_WBITS  # of zlib's own: with gzip's head and end


def unpacked(data: bytes, most: int) -> bytes:
    """The data itself, or what it holds where it is gzip. Raises BadInput, also for more than `most` bytes in it."""
    if not data.startswith(MAGIC):
        return data
    opened = zlib.decompressobj(GZIP)
    try:
        found = opened.decompress(data, most + 1)
    except zlib.error as error:
        raise BadInput("not a netdoctor recording: gzip that cannot be unpacked") from error
    if len(found) > most:
        raise BadInput(f"not a netdoctor recording: unpacked it is larger than {most >> 20} MB, the most that is read")
    if not opened.eof:
        raise BadInput("not a netdoctor recording: gzip that ends too early")
    if opened.unused_data:
        raise BadInput("not a netdoctor recording: more than one file is packed in it")
    return found
