"""A programme's file: what an engine takes from DRAM, behind a head that says for which engine, and proves it whole.

The head has 96 bytes, little-endian: 8 of magic; numbers of 4 bytes: version, bytes of the body, commands, bytes of
input and of output of a frame, bytes of the facts; 32 of the engine's identity; the SHA-256 of these 64 bytes and of
all that follows. The body begins with the commands; addresses in a programme count from its first byte. Behind it are
the facts, a JSON object: which network it is, and how a picture becomes a frame (docs/engine.md).
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bvit_hw.disk import reason, write_aside
from bvit_hw.engine.commands import WORDS, Command, Kind, decode
from bvit_hw.engine.config import VERSION, EngineConfig
from bvit_hw.errors import ProgrammeError

MAGIC = b"BVITPROG"
_NUMBERS = struct.Struct("<8s6I")
_DIGEST = 32
HEAD = _NUMBERS.size + 2 * _DIGEST
_COMMAND = 8 * WORDS


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
    head = _NUMBERS.pack(MAGIC, VERSION, *sizes) + bytes.fromhex(config.identity)
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
        content = path.read_bytes()
    except OSError as error:
        raise ProgrammeError(f"{path}: cannot be read: {reason(error)}") from error
    if content[: len(MAGIC)] != MAGIC:
        raise ProgrammeError(f"{path}: no programme of an engine")
    if len(content) < HEAD:
        raise ProgrammeError(f"{path}: truncated: {len(content)} bytes; a head has {HEAD}")
    _, version, size, count, input_bytes, output_bytes, told = _NUMBERS.unpack_from(content)
    if version != VERSION:
        raise ProgrammeError(f"{path}: commands of version {version}; this engine's are of version {VERSION}")
    head, rest = content[: HEAD - _DIGEST], content[HEAD:]
    size_told = size + told
    if len(rest) != size_told:
        raise ProgrammeError(f"{path}: truncated or longer: {len(rest)} bytes behind the head, which says {size_told}")
    if hashlib.sha256(head + rest).digest() != content[HEAD - _DIGEST : HEAD]:
        raise ProgrammeError(f"{path}: damaged: its hash is not that of its content")
    identity = head[_NUMBERS.size :].hex()
    if identity != config.identity:
        raise ProgrammeError(
            f"{path}: compiled for the engine {identity[:12]}; this one is {config.identity[:12]}: compile it again"
        )
    body = rest[:size]
    words = np.frombuffer(body, dtype="<u8", count=count * WORDS).reshape(count, WORDS)
    facts = json.loads(rest[size:]) if told else {}
    return Programme(tuple(decode(word) for word in words), body[count * _COMMAND :], input_bytes, output_bytes, facts)
