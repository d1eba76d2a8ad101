"""A programme's file: what an engine takes from DRAM, behind a head that says for which engine, and proves it whole.

Head and facts are those that the driver reads (bvit_hw/runtime/programme.py). The body begins with the commands;
addresses in a programme count from its first byte. The facts say which network it is, and how a picture becomes a frame
(docs/engine.md).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bvit_hw.disk import reason, write_aside
from bvit_hw.engine.commands import WORDS, Command, Kind, decode
from bvit_hw.engine.config import VERSION, EngineConfig
from bvit_hw.errors import ProgrammeError
from bvit_hw.runtime.errors import ProgrammeError as FileProgrammeError
from bvit_hw.runtime.programme import COMMAND, HEAD, MAGIC, NUMBERS, read_programme

__all__ = ["HEAD", "Programme", "load_programme", "save_programme"]


@dataclass(frozen=True)
class Programme:
    """Commands in their order, then ``data`` (parameters) behind them; how long a frame's input and output are.

    ``facts`` are what a driver has to know; they do not go to DRAM.
    """

    commands: tuple[Command, ...]
    data: bytes
    input_bytes: int
    output_bytes: int
    facts: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.commands or self.commands[-1].kind != Kind.END:
            raise ValueError("a programme's last command is END")

    @property
    def body(self) -> bytes:
        """What lies in DRAM."""
        return b"".join(command.encode().tobytes() for command in self.commands) + self.data


def save_programme(programme: Programme, config: EngineConfig, path: Path) -> None:
    """Write it for the engine ``config``, whole or not at all; ProgrammeError where the disk refuses."""
    body, facts = programme.body, json.dumps(programme.facts, sort_keys=True).encode() if programme.facts else b""
    sizes = (len(body), len(programme.commands), programme.input_bytes, programme.output_bytes, len(facts))
    head = NUMBERS.pack(MAGIC, VERSION, *sizes) + bytes.fromhex(config.identity)
    try:
        write_aside(path, head + hashlib.sha256(head + body + facts).digest() + body + facts)
    except OSError as error:
        raise ProgrammeError(f"{path}: cannot be written: {reason(error)}") from error


def load_programme(path: Path, config: EngineConfig) -> Programme:
    """Read a file of :func:`save_programme`.

    Raises ProgrammeError, naming file and reason, for one that is missing, no programme, of another version or engine,
    truncated, or changed.
    """
    try:
        found = read_programme(path, VERSION)
        found.require(config.identity)
    except FileProgrammeError as error:
        raise ProgrammeError(str(error)) from error
    words = np.frombuffer(found.body, dtype="<u8", count=found.commands * WORDS).reshape(found.commands, WORDS)
    commands, data = tuple(decode(word) for word in words), found.body[found.commands * COMMAND :]
    return Programme(commands, data, found.input_bytes, found.output_bytes, found.facts)
