"""The engine's registers on AXI4-Lite: offsets and bits (docs/engine.md)."""

from __future__ import annotations

from enum import IntEnum

#: "BVIE" in ASCII
MAGIC = 0x42564945


class Register(IntEnum):
    """Offsets; addresses have a low and a high word."""

    MAGIC = 0x00
    VERSION = 0x04
    IDENTITY = 0x08
    CONTROL = 0x28
    STATUS = 0x2C
    FLAGS = 0x30
    FRAMES = 0x34
    PROGRAMME = 0x38
    INPUT = 0x40
    OUTPUT = 0x48
    CYCLES = 0x50
    CORE_CYCLES = 0x54
    FETCH_CYCLES = 0x58
    LOAD_CYCLES = 0x5C
    STORE_CYCLES = 0x60
    COMMANDS = 0x64
    END = 0x68


class Control(IntEnum):
    """Bits that clear themselves."""

    START = 0
    SOFT_RESET = 1


class Status(IntEnum):
    """What the engine is doing: a frame is under way; the last one that was started has ended."""

    BUSY = 0
    DONE = 1


class Flag(IntEnum):
    """Why the last frame is none: DRAM answered with an error, a command is none, DRAM did not answer."""

    READ_ERROR = 0
    WRITE_ERROR = 1
    ILLEGAL = 2
    TIMEOUT = 3
