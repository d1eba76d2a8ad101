"""A programme's file as the driver sees it: read, proven whole, and what its facts say of pictures and logits.

The head has 96 bytes, little-endian: 8 of magic; numbers of 4 bytes: version, bytes of the body, commands, bytes of
input and of output of a frame, bytes of the facts; 32 of the engine's identity; the SHA-256 of these 64 bytes and of
all that follows. The body goes to DRAM and begins with the commands; behind it are the facts, a JSON object.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .errors import ProgrammeError
from .model_info import ModelInfo

MAGIC = b"BVITPROG"
NUMBERS = struct.Struct("<8s6I")
DIGEST = 32
HEAD = NUMBERS.size + 2 * DIGEST
#: bytes of a command
COMMAND = 128
#: logits are given as integers of so many bytes
_LOGIT_BYTES = 4


@dataclass(frozen=True)
class ProgrammeFile:
    """What a file holds; ``name`` is what messages call it, ``identity`` that of the engine, in hexadecimal digits."""

    name: str
    version: int
    identity: str
    body: bytes
    commands: int
    input_bytes: int
    output_bytes: int
    facts: Mapping[str, Any] = field(default_factory=dict)

    def require(self, identity: str) -> None:
        """Raise ProgrammeError where it is of another engine."""
        if self.identity != identity:
            raise ProgrammeError(
                f"{self.name}: compiled for the engine {self.identity[:12]}; this one is {identity[:12]}: "
                "compile it again"
            )


def read_programme(path: str | Path, version: int) -> ProgrammeFile:
    """Read a file whose commands are of ``version``.

    Raises ProgrammeError, naming it and the reason, where it is none, of another version, truncated or damaged. Of
    whatever engine it is: :meth:`ProgrammeFile.require` asks for that.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ProgrammeError(f"{path}: cannot be read: {error.strerror or error}") from error
    if content[: len(MAGIC)] != MAGIC:
        raise ProgrammeError(f"{path}: no programme of an engine")
    if len(content) < HEAD:
        raise ProgrammeError(f"{path}: truncated: {len(content)} bytes; a head has {HEAD}")
    _, found, size, commands, input_bytes, output_bytes, told = NUMBERS.unpack_from(content)
    if found != version:
        raise ProgrammeError(f"{path}: commands of version {found}; this engine's are of version {version}")
    head, rest = content[: HEAD - DIGEST], content[HEAD:]
    if len(rest) != size + told:
        told += size
        raise ProgrammeError(f"{path}: truncated or longer: {len(rest)} bytes behind the head, which says {told}")
    if hashlib.sha256(head + rest).digest() != content[HEAD - DIGEST : HEAD]:
        raise ProgrammeError(f"{path}: damaged: its hash is not that of its content")
    identity = head[NUMBERS.size :].hex()
    facts = json.loads(rest[size:]) if told else {}
    return ProgrammeFile(str(path), found, identity, rest[:size], commands, input_bytes, output_bytes, facts)


@dataclass(frozen=True)
class FrameShape:
    """How a picture lies in DRAM as a frame, and logits as an output; docs/engine.md has the facts it is made of."""

    picture: tuple[int, int, int]
    window: tuple[int, int]
    lanes: int
    strip: int
    group: int
    logits: int
    logit_bytes: int

    @classmethod
    def of(cls, programme: ProgrammeFile) -> FrameShape:
        """That of a programme; ProgrammeError where its facts do not say, or say what its sizes do not."""
        facts = programme.facts
        try:
            (height, width, channels), (rows, columns) = facts["picture"], facts["window"]
            names = ("lanes", "strip", "group", "logits", "logit_bytes")
            numbers = [int(facts[name]) for name in names]
            shape = cls((int(height), int(width), int(channels)), (int(rows), int(columns)), *numbers)
        except (KeyError, TypeError, ValueError) as error:
            raise ProgrammeError(
                f"{programme.name}: does not say how a picture becomes a frame ({error}); compile it again"
            ) from error
        if (shape.input_bytes, shape.output_bytes) != (programme.input_bytes, programme.output_bytes):
            raise ProgrammeError(
                f"{programme.name}: frames of {programme.input_bytes} and {programme.output_bytes} bytes are not those "
                f"that its facts give, {shape.input_bytes} and {shape.output_bytes}; compile it again"
            )
        if not 1 <= shape.logit_bytes <= _LOGIT_BYTES:
            raise ProgrammeError(f"{programme.name}: logits of {shape.logit_bytes} bytes; allowed: 1..{_LOGIT_BYTES}")
        return shape

    @property
    def _token(self) -> tuple[int, int]:
        """Bytes of a token, and groups that they fill."""
        size = self.window[0] * self.window[1] * self.picture[2]
        return size, -(-size // self.group)

    @property
    def input_bytes(self) -> int:
        """Of a frame."""
        return self.picture[0] // self.window[0] * self.strip * self._token[1] * self.lanes * self.group

    @property
    def output_bytes(self) -> int:
        """Of a frame."""
        return -(-self.logits // self.group) * self.group * self.logit_bytes

    def frame(self, image: np.ndarray, out: np.ndarray) -> None:
        """Write ``image`` (uint8 of shape ``picture``) to the bytes ``out`` as the engine wants it."""
        (h, w), (size, groups) = self.window, self._token
        rows = self.picture[0] // h
        cut = image.reshape(rows, h, self.lanes, self.strip, w, -1).transpose(0, 3, 2, 1, 4, 5)
        whole = np.zeros((rows * self.strip, self.lanes, groups * self.group), np.uint8)
        whole[..., :size] = cut.reshape(rows * self.strip, self.lanes, size)
        words = whole.reshape(rows * self.strip, self.lanes, groups, self.group).transpose(0, 2, 1, 3)
        np.copyto(out[: self.input_bytes].reshape(words.shape), words)

    def result(self, output: np.ndarray) -> np.ndarray:
        """The logits (int32) in an output's bytes."""
        planes = np.asarray(output[: self.output_bytes]).reshape(-1, self.logit_bytes, self.group).transpose(0, 2, 1)
        # Filled up with the sign: the highest byte says it.
        filled = np.repeat(planes[..., -1:] >> 7 * np.uint8(1), _LOGIT_BYTES, axis=2) * np.uint8(255)
        filled[..., : self.logit_bytes] = planes
        return np.ascontiguousarray(filled).view("<i4").reshape(-1)[: self.logits].astype(np.int32)


def model_of(programme: ProgrammeFile, shape: FrameShape, engine: ModelInfo) -> ModelInfo:
    """What a driver must know of the network in ``programme``, on the engine of ``engine``."""
    facts = programme.facts
    try:
        names = facts.get("class_names") or [str(n) for n in range(shape.logits)]
        found = replace(
            engine,
            model_hash=str(facts["model_hash"]),
            height=shape.picture[0],
            width=shape.picture[1],
            channels=shape.picture[2],
            classes=shape.logits,
            logits_exponent=int(facts["logits_exponent"]),
            class_names=tuple(str(name) for name in names),
            cycles_per_frame=int(facts["cycles"]),
            preprocessing=facts.get("preprocessing"),
            name=str(facts.get("network", "")),
        )
        found.preprocessor  # noqa: B018 (refuses what does not fit)
        return found
    except (KeyError, TypeError, ValueError) as error:
        raise ProgrammeError(f"{programme.name}: does not say what it computes ({error}); compile it again") from error
