"""Byte offsets and bits of the accelerator's AXI4-Lite registers: the single source for driver, benches and docs.

The hardware side is bvit_axi_lite_regs.sv; sim/test_shell.py reads every register by the offsets given here, and
docs/registers.md holds the table that :func:`table` writes. Needs nothing but the standard library: it runs on boards.
"""

from __future__ import annotations

from typing import NamedTuple

MAGIC = 0x00
VERSION = 0x04
MODEL_HASH = 0x08
MODEL_HASH_WORDS = 8
IMAGE_SIZE = 0x28
IMAGE_DEPTH = 0x2C
LOGITS_EXPONENT = 0x30
CONTROL = 0x34
FLAGS = 0x38
FRAMES_IN = 0x3C
FRAMES_OUT = 0x40
FRAMES_DROPPED = 0x44
CYCLES_LOW = 0x48
CYCLES_HIGH = 0x4C
FRAME_INTERVAL = 0x50
FRAME_LATENCY = 0x54
PACKET_FRAMES = 0x58

#: "BVIT" in ASCII, most significant byte first
MAGIC_VALUE = 0x42564954
#: version of this map; the accelerator's register of that name must hold it
VERSION_VALUE = 2

CONTROL_SOFT_RESET = 1 << 0
CONTROL_CLEAR = 1 << 1

FLAG_FRAME_SHORT = 1 << 0
FLAG_FRAME_LONG = 1 << 1
FLAG_OUTPUT_STALLED = 1 << 2
FLAG_PACKET_SHORT = 1 << 3
#: the largest value of PACKET_FRAMES
MAX_PACKET_FRAMES = 0xFFFF

#: bytes of address space that the accelerator decodes
ADDRESS_SPACE = 0x1000


class Register(NamedTuple):
    """A line of the register map; ``access`` is "r" or "rw"."""

    offset: int
    name: str
    access: str
    meaning: str


REGISTERS: tuple[Register, ...] = (
    Register(MAGIC, "MAGIC", "r", 'always 0x42564954, "BVIT" in ASCII'),
    Register(VERSION, "VERSION", "r", "version of this map, 2"),
    *(
        Register(
            MODEL_HASH + 4 * word,
            f"MODEL_HASH[{word}]",
            "r",
            f"SHA-256 of the frozen model: hexadecimal digits {8 * word} to {8 * word + 7} of its usual notation",
        )
        for word in range(MODEL_HASH_WORDS)
    ),
    Register(IMAGE_SIZE, "IMAGE_SIZE", "r", "image in pixels: height in bits 31-16, width in bits 15-0"),
    Register(IMAGE_DEPTH, "IMAGE_DEPTH", "r", "channels of a pixel in bits 31-16, classes in bits 15-0"),
    Register(LOGITS_EXPONENT, "LOGITS_EXPONENT", "r", "signed e: a logit's value is integer * 2^e"),
    Register(
        CONTROL,
        "CONTROL",
        "rw",
        "bit 0: reset the datapath, drop all frames inside (reads 1 while it lasts, 16 cycles); "
        "bit 1: clear flags and counters. Both clear themselves",
    ),
    Register(
        FLAGS,
        "FLAGS",
        "r",
        "sticky. bit 0: a frame was too short; bit 1: a frame was too long; "
        "bit 2: a logit waited 65536 cycles for the receiver; bit 3: a packet ended before its last frame",
    ),
    Register(FRAMES_IN, "FRAMES_IN", "r", "frames accepted: complete and well-formed"),
    Register(FRAMES_OUT, "FRAMES_OUT", "r", "frames whose last logit was taken"),
    Register(FRAMES_DROPPED, "FRAMES_DROPPED", "r", "frames dropped for their length"),
    Register(CYCLES_LOW, "CYCLES_LOW", "r", "clock cycles, bits 31-0; reading it keeps CYCLES_HIGH for the next read"),
    Register(CYCLES_HIGH, "CYCLES_HIGH", "r", "clock cycles, bits 63-32, of the moment when CYCLES_LOW was read"),
    Register(
        FRAME_INTERVAL, "FRAME_INTERVAL", "r", "cycles between the ends of the last two frames; 0 before the second"
    ),
    Register(
        FRAME_LATENCY,
        "FRAME_LATENCY",
        "r",
        "cycles from a frame's first beat taken to its last logit taken, of the last frame watched; "
        "one frame is watched at a time",
    ),
    Register(
        PACKET_FRAMES,
        "PACKET_FRAMES",
        "rw",
        "bits 15-0: frames a packet, that is, between two TLAST of either stream; 1 after a reset, 0 means 1. "
        "To be written only while no packet is under way",
    ),
)


def split_halves(word: int) -> tuple[int, int]:
    """Bits 31-16 and bits 15-0 of IMAGE_SIZE or IMAGE_DEPTH."""
    return word >> 16 & 0xFFFF, word & 0xFFFF


def to_signed(word: int) -> int:
    """A register word as two's complement, as LOGITS_EXPONENT wants to be read."""
    return word - (1 << 32) if word & 1 << 31 else word


def table() -> str:
    """The map as a Markdown table."""
    lines = ["| offset | name | access | meaning |", "|---|---|---|---|"]
    lines += [f"| 0x{r.offset:02X} | {r.name} | {r.access} | {r.meaning} |" for r in REGISTERS]
    return "\n".join(lines) + "\n"
