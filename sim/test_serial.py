"""The serial link of rtl/serial/ at a pseudo-terminal, spoken to by the driver's own link: with the line as it should
be, and with bytes lost, doubled, flipped and added."""

from __future__ import annotations

import os
import random
import select
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from harness import SIM, find_sources, mutant

from bvit_hw.flows.ecp5 import LINK_SOURCES
from bvit_hw.flows.serial_model import build_serial_model, running
from bvit_hw.flows.verilator import lint
from bvit_hw.ops.shell import SHELL_SOURCES
from bvit_hw.runtime import registers as reg
from bvit_hw.runtime.errors import TransferError
from bvit_hw.runtime.serial_link import SerialLink
from bvit_hw.runtime.serial_packets import FRAME, LOGITS, READ, REFUSED, VALUE, Decoder, Packet

SOURCES = tuple(dict.fromkeys((*LINK_SOURCES, *SHELL_SOURCES, "bvit_axis_check.sv")))
BYTES, CLASSES = 96, 5
#: a bit is 8.31 cycles: not whole, so that an error would add up over ten bits
BIT_SIXTEENTHS = 133


class Line:
    """A pseudo-terminal as pyserial's port; ``harm`` may change what is written, and what is read."""

    def __init__(self, name: str) -> None:
        self._file = os.open(name, os.O_RDWR | os.O_NOCTTY)
        self.harm_out: Callable[[bytes], bytes] = lambda data: data
        self.harm_in: Callable[[bytes], bytes] = lambda data: data

    @property
    def in_waiting(self) -> int:
        return 4096 if select.select([self._file], [], [], 0)[0] else 0

    def read(self, size: int) -> bytes:
        return self.harm_in(os.read(self._file, size))

    def write(self, data: bytes) -> None:
        os.write(self._file, self.harm_out(data))

    def close(self) -> None:
        os.close(self._file)

    def packets(self, decoder: Decoder, count: int, seconds: float = 20.0) -> list[Packet]:
        """The next packets; fewer where no more come."""
        found: list[Packet] = []
        until = time.monotonic() + seconds
        while len(found) < count and time.monotonic() < until:
            if self.in_waiting:
                found += decoder.feed(self.read(4096))
            else:
                time.sleep(1e-3)
        return found


@contextmanager
def device(folder: Path, override: Path | None = None) -> Iterator[Line]:
    sources = [*find_sources(SOURCES, override), SIM / "device_stand_in.sv", SIM / "serial_top.sv"]
    program = build_serial_model(
        folder, top="serial_top", sources=sources, bit_sixteenths=BIT_SIXTEENTHS,
        parameters={"BIT_SIXTEENTHS": BIT_SIXTEENTHS},
    )  # fmt: skip
    with running(program, folder) as name:
        line = Line(name)
        try:
            yield line
        finally:
            line.close()


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with device(tmp_path) as found:
        yield found


def logits_of(frames: np.ndarray) -> np.ndarray:
    """What the stand-in computes."""
    return frames.reshape(len(frames), -1, 8)[:, :, :CLASSES].sum(axis=1, dtype=np.int32) - 1000


def link_of(line: Line, patience: float = 20.0) -> SerialLink:
    """The driver's link; ``patience`` times a quarter of a second later it takes an answer for lost."""
    return SerialLink(line, name="test", frame_bytes=BYTES, classes=CLASSES, patience=patience)


def through(link: SerialLink, frames: np.ndarray) -> np.ndarray:
    """The frames' logits by one transfer."""
    pixels, logits = link.allocate_pixels(frames.size), link.allocate_logits(len(frames) * CLASSES)
    pixels[:] = frames.reshape(-1)
    link.receive(logits, logits.nbytes)
    link.send(pixels, pixels.nbytes)
    until = time.monotonic() + 60
    while (link.sending() or link.receiving()) and time.monotonic() < until:
        link.pause()
    assert link.sent() == pixels.nbytes and link.received() == logits.nbytes
    return np.asarray(logits).reshape(-1, CLASSES)


def images(count: int, seed: int) -> np.ndarray:
    """Random frames, the special bytes among them more often than others."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 256, (count, BYTES), np.uint8)
    special = rng.random(frames.shape) < 0.2
    return np.where(special, rng.choice(np.array([0xC0, 0xDB, 0xDC, 0xDD], np.uint8), frames.shape), frames)


def check_service(line: Line) -> None:
    """Registers are read and written, frames computed, a soft reset leaves nothing behind."""
    link = link_of(line)
    link.reset()
    assert link.read(reg.MAGIC) == reg.MAGIC_VALUE
    assert link.read(reg.MODEL_HASH) == 0x00112233
    for value in (0xC0DB, 0x1234, 1):
        link.write(reg.PACKET_FRAMES, value)
        assert link.read(reg.PACKET_FRAMES) == value
    link.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
    for seed in range(3):
        frames = images(7, seed)
        assert np.array_equal(through(link, frames), logits_of(frames))
    assert (link.read(reg.FRAMES_IN), link.read(reg.FRAMES_OUT), link.read(reg.FLAGS)) == (21, 21, 0)
    assert link.resent == 0 and link._decoder.dropped == 0


def test_service(line: Line) -> None:
    check_service(line)


def check_packets(line: Line) -> None:
    """Byte for byte: what is right is answered with its tag, what is not is refused, and the next is served."""
    decoder = Decoder()
    magic = reg.MAGIC_VALUE.to_bytes(4, "little")
    read = Packet(READ, 0x55, b"\0\0").encoded()
    line.write(read)
    assert line.packets(decoder, 1) == [Packet(VALUE, 0x55, magic)]
    # What the register's value would be is the CRC of all before it, and behind it there is none.
    head = b"\x02\x55\x06\0" + reg.PACKET_FRAMES.to_bytes(2, "little")
    unended = b"\xc0" + head + zlib.crc32(head).to_bytes(4, "little") + b"\xc0"
    assert not {0xC0, 0xDB} & set(unended[1:-1])
    wrong = {
        "a flipped bit of the tag": read[:2] + bytes([read[2] ^ 0x10]) + read[3:],
        "a flipped bit of the length": read[:3] + bytes([read[3] ^ 0x10]) + read[4:],
        "a flipped bit of the address": read[:5] + bytes([read[5] ^ 0x04]) + read[6:],
        "a CRC that is counted as payload": unended,
        "a lost byte": read[:4] + read[5:],
        "a doubled byte": read[:4] + read[3:],
        "a lost byte of the CRC": read[:-2] + read[-1:],
        "an escape of nothing": read[:3] + b"\xdb\x01" + read[4:],
        "an escape cut off": read[:-1] + b"\xdb\xc0",
        "a kind that is not known": Packet(0x7F, 0x55).encoded(),
        "a read of a longer address": Packet(READ, 0x55, b"\0\0\0").encoded(),
        "a short frame": Packet(FRAME, 0x55, bytes(BYTES - 1)).encoded(),
        "a long frame": Packet(FRAME, 0x55, bytes(BYTES + 1)).encoded(),
        "a header alone": Packet(READ, 0x55, b"\0\0").encoded()[:5] + b"\xc0",
    }
    for what, packet in wrong.items():
        line.write(packet + Packet(READ, 0x66, b"\0\0").encoded())
        first, second = line.packets(decoder, 2)
        assert first.kind == REFUSED and first.payload == b"", what
        assert second == Packet(VALUE, 0x66, magic), what
    frames = images(1, 9)
    line.write(b"\xc0\xc0\xc0" + Packet(FRAME, 0xDB, frames[0].tobytes()).encoded())
    assert line.packets(decoder, 1) == [Packet(LOGITS, 0xDB, logits_of(frames)[0].astype("<i4").tobytes())]
    line.write(b"\xc0\xc0")
    assert line.packets(decoder, 1, seconds=0.3) == [], "two ENDs are no packet"
    assert decoder.dropped == 0


def test_packets(line: Line) -> None:
    check_packets(line)


def check_reset(line: Line) -> None:
    """A soft reset while logits go out cuts their packet; tags of frames that are gone are not given to later ones."""
    link, decoder = link_of(line), Decoder()
    frames = images(4, 5)
    assert np.array_equal(through(link, frames), logits_of(frames))
    link.write(reg.PACKET_FRAMES, 1)
    reset = Packet(0x02, 1, reg.CONTROL.to_bytes(2, "little") + reg.CONTROL_SOFT_RESET.to_bytes(4, "little")).encoded()
    for count in (1, 2, 3):
        # The reset comes while the last frames' logits are computed or go out.
        sent = b"".join(Packet(FRAME, 10 * count + n, frames[n].tobytes()).encoded() for n in range(count))
        line.write(sent + reset)
        line.write(Packet(FRAME, 99, frames[3].tobytes()).encoded())
        found: list[Packet] = []
        until = time.monotonic() + 20
        while not any(packet.tag == 99 for packet in found) and time.monotonic() < until:
            found += line.packets(decoder, 1)
        (last,) = [packet for packet in found if packet.tag == 99]
        assert last.payload == logits_of(frames)[3].astype("<i4").tobytes()
        for packet in found:
            if packet.kind == LOGITS and packet.tag != 99:
                assert packet.payload == logits_of(frames)[packet.tag % 10].astype("<i4").tobytes()


def test_reset(line: Line) -> None:
    check_reset(line)


@pytest.mark.parametrize("seed", range(3))
def test_what_is_lost_on_the_way_there_is_sent_again(line: Line, seed: int) -> None:
    """Bytes of requests lost, doubled, flipped and added: nothing of it is seen but the time."""
    rng, link = random.Random(seed), link_of(line, patience=2.0)
    link.reset()

    def harmed(data: bytes) -> bytes:
        if rng.random() < 0.7:
            return data
        at = rng.randrange(len(data))
        return rng.choice(
            [
                data[:at] + data[at + 1 :], data[: at + 1] + data[at:], data[:at] + b"\xc0" + data[at:],
                data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :],
            ]
        )  # fmt: skip

    line.harm_out = harmed
    frames = images(12, seed)
    assert np.array_equal(through(link, frames), logits_of(frames))
    for _ in range(10):
        assert link.read(reg.MAGIC) == reg.MAGIC_VALUE
    assert link.resent > 0


def test_answers_that_are_lost_are_asked_for_again(line: Line) -> None:
    link = link_of(line, patience=2.0)
    link.reset()
    rng = random.Random(1)
    # By the byte: in how many pieces an answer is read depends on the machine's load.
    line.harm_in = lambda data: bytes(byte for byte in data if rng.random() > 0.03)
    for _ in range(10):
        assert link.read(reg.MAGIC) == reg.MAGIC_VALUE
    assert link.resent > 0


def test_a_device_that_is_gone_is_told(line: Line) -> None:
    link = SerialLink(line, name="test", frame_bytes=BYTES, classes=CLASSES, baud=3_000_000)
    line.harm_out = lambda data: b""
    with pytest.raises(TransferError, match="test: no answer from the device to 5 requests"):
        link.read(reg.MAGIC)
    link.receive(link.allocate_logits(CLASSES), 4 * CLASSES)
    link.send(link.allocate_pixels(BYTES), BYTES)
    with pytest.raises(TransferError, match=r"image \d+ was sent 5 times, and there is no answer"):
        while link.sending():
            link.pause()


def test_lint() -> None:
    lint(find_sources(LINK_SOURCES), "bvit_serial_link")


MUTATIONS = [
    ("bvit_uart_rx.sv", "LeftW'(BIT_SIXTEENTHS / 2)", "LeftW'(BIT_SIXTEENTHS)"),
    ("bvit_uart_rx.sv", "LeftW'(BIT_SIXTEENTHS - 16)", "LeftW'(BIT_SIXTEENTHS / 16 * 16 - 32)"),
    ("bvit_uart_tx.sv", "LeftW'(BIT_SIXTEENTHS - 16)", "LeftW'(BIT_SIXTEENTHS / 16 * 16 - 32)"),
    ("bvit_uart_tx.sv", "count_q <= 4'd10", "count_q <= 4'd9"),
    ("bvit_crc32.sv", "i < 8", "i < 7"),
    ("bvit_serial_receive.sv", "&& crc_q == Residue", ""),
    ("bvit_serial_receive.sv", "tail_q == 3'd4 && ", ""),
    ("bvit_serial_receive.sv", "&& !broken_q && !escape_q;", ";"),
    ("bvit_serial_receive.sv", "(data == EscEnd) ? End : Esc", "(data == EscEnd) ? Esc : End"),
    ("bvit_serial_receive.sv", "head_q <= '0;", ""),
    ("bvit_serial_receive.sv", "&& (head_q != '0 || broken_q || escape_q)", ""),
    ("bvit_serial_send.sv", "value == End || value == Esc", "value == End"),
    ("bvit_serial_send.sv", "if (state_q == Begin) crc_q <= '1;\n    else if", "if"),
    ("bvit_serial_send.sv", "(left_q == '0) ? Crc : Payload", "Payload"),
    ("bvit_serial_send.sv", "if (cut && state_q != Idle)", "if (1'b0)"),
    ("bvit_serial_link.sv", "kind == Frame && length == 16'(BYTES)", "kind == Frame"),
    ("bvit_serial_link.sv", "kind == Read && length == 16'd2", "kind == Read"),
    ("bvit_serial_link.sv", "rst(rst || flush)", "rst(rst)"),
    ("bvit_serial_link.sv", "ADDR_W'(words_q[47:32])", "ADDR_W'(words_q[15:0])"),
    ("bvit_serial_link.sv", "sent_data_q <= answer_data_q", "sent_data_q <= '0"),
    ("bvit_serial_link.sv", "byte_q == 2'd3;", "byte_q == 2'd2;"),
    ("bvit_serial_link.sv", "if (good) access_tag_q <= tag;", "access_tag_q <= 8'd0;"),
    ("bvit_serial_link.sv", "beat_q == AddrW'(Beats - 1);\n    if (rst || good", "1'b0;\n    if (rst || good"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old", "new"), MUTATIONS)
def test_mutations_are_caught(name: str, old: str, new: str, tmp_path: Path) -> None:
    override = mutant(tmp_path, name, old, new)
    for check in (check_packets, check_service, check_reset):
        try:
            with device(tmp_path, override) as line:
                check(line)
        except (AssertionError, TransferError, ValueError):
            return
    pytest.fail("no check noticed")
