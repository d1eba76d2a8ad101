"""The single engine's registers on AXI4-Lite: offsets, bits, and what each says (docs/engine_design.md).

The hardware's come from here: ``python -m bvit_hw.engine.package``. It runs on boards and needs nothing else.
"""

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
    CLOCK = 0x68
    CLOCK_HIGH = 0x6C
    END = 0x70


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


#: what each register says, and who may write it
_MEANINGS: dict[Register, tuple[str, str]] = {
    Register.MAGIC: ("r", 'always 0x42564945, "BVIE" in ASCII'),
    Register.VERSION: ("r", "of the commands"),
    Register.IDENTITY: ("r", "SHA-256 of version and configuration: eight words"),
    Register.CONTROL: ("rw", "bit 0 starts a frame, bit 1 resets; both clear themselves"),
    Register.STATUS: ("r", "bit 0: a frame is under way; bit 1: the last one has ended, as the interrupt says"),
    Register.FLAGS: ("r", "of the last frame: errors when reading, when writing, a kind that is none, a time-out"),
    Register.FRAMES: ("r", "frames that ended without a flag"),
    Register.PROGRAMME: ("rw", "address in DRAM, a multiple of eight: low and high word"),
    Register.INPUT: ("rw", "address in DRAM, a multiple of eight: low and high word"),
    Register.OUTPUT: ("rw", "address in DRAM, a multiple of eight: low and high word"),
    Register.CYCLES: ("r", "of the last frame; the next four are parts of it"),
    Register.CORE_CYCLES: ("r", "a command is being carried out by the units"),
    Register.FETCH_CYCLES: ("r", "the units are idle and wait for commands from DRAM"),
    Register.LOAD_CYCLES: ("r", "the units are idle and wait for what a LOAD brings from DRAM"),
    Register.STORE_CYCLES: ("r", "the units are idle and wait for DRAM to take what a STORE brings"),
    Register.COMMANDS: ("r", "of the last frame"),
    Register.CLOCK: ("r", "cycles since the reset by the pin, bits 31-0; reading it keeps CLOCK_HIGH"),
    Register.CLOCK_HIGH: ("r", "the same, bits 63-32, of the moment when CLOCK was read"),
}


def lines() -> list[tuple[int, str, str, str]]:
    """The map, a line a word: offset, name, "r" or "rw", meaning."""
    registers, found = sorted(_MEANINGS), []
    for register, after in zip(registers, [*registers[1:], Register.END], strict=True):
        words = (after - register) // 4
        for word in range(words):
            name = f"{register.name}[{word}]" if words > 1 else register.name
            found.append((register + 4 * word, name, *_MEANINGS[register]))
    return found
