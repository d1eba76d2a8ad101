"""Packets on the serial line, as docs/serial.md describes them: what rtl/serial/ reads and writes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

END, ESC, ESC_END, ESC_ESC = 0xC0, 0xDB, 0xDC, 0xDD
READ, WRITE, FRAME = 0x01, 0x02, 0x03
VALUE, WRITTEN, LOGITS, REFUSED = 0x81, 0x82, 0x83, 0xFF
_HEAD = struct.Struct("<BBH")


@dataclass(frozen=True)
class Packet:
    """One packet: what it is, which request it belongs to, and what it carries."""

    kind: int
    tag: int
    payload: bytes = b""

    def encoded(self) -> bytes:
        """The bytes on the line, END at both ends."""
        body = _HEAD.pack(self.kind, self.tag, len(self.payload)) + self.payload
        body += struct.pack("<I", zlib.crc32(body))
        inside = body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        return b"\xc0" + inside + b"\xc0"


class Decoder:
    """Packets out of a line's bytes. What is not right is dropped, and counted in ``dropped``; END begins anew."""

    def __init__(self) -> None:
        self._inside = bytearray()
        self.dropped = 0

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that are complete with ``data``."""
        found = []
        *ended, rest = data.split(b"\xc0")
        for piece in ended:
            self._inside += piece
            if self._inside:
                packet = _decoded(bytes(self._inside))
                if packet is None:
                    self.dropped += 1
                else:
                    found.append(packet)
            self._inside.clear()
        self._inside += rest
        return found


def _decoded(inside: bytes) -> Packet | None:
    pieces = inside.split(b"\xdb")
    body = bytearray(pieces[0])
    for piece in pieces[1:]:
        if piece[:1] == b"\xdc":
            body.append(END)
        elif piece[:1] == b"\xdd":
            body.append(ESC)
        else:
            return None
        body += piece[1:]
    if len(body) < _HEAD.size + 4:
        return None
    kind, tag, length = _HEAD.unpack_from(body)
    if len(body) != _HEAD.size + length + 4 or struct.unpack("<I", body[-4:])[0] != zlib.crc32(body[:-4]):
        return None
    return Packet(kind, tag, bytes(body[_HEAD.size : -4]))
