"""What an engine is built with: what it does at once, and how deep its memories are."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from bvit_hw.errors import ConfigError

#: columns of the matrix unit, bits of a slice: a beat of DRAM, a row of weights, a lane's bits of a word
COLUMNS = 64
#: channels that the vector unit takes at once: a lane's bytes of a word, again a beat
CHANNELS = 8
#: groups of channels in a word of bits
GROUPS = COLUMNS // CHANNELS
#: addresses of on-chip memories, and counts of loops
ADDRESS_BITS = 16
#: raised whenever a command changes its meaning
VERSION = 1


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """``tokens`` lanes, ``rows`` of the matrix unit at once; the depths of the memories, in their words.

    Words: ``bits`` tokens x 64 bits, ``values`` tokens x 8 bytes, ``weights`` rows x 64 bits, ``params`` 8 x 32 bits,
    ``steps`` and ``taps`` 64 bits.
    """

    tokens: int = 7
    rows: int = 32
    bits: int = 1024
    values: int = 4096
    weights: int = 1024
    params: int = 1024
    steps: int = 2048
    taps: int = 2048

    def __post_init__(self) -> None:
        if not 1 <= self.tokens <= COLUMNS:
            raise ConfigError(f"engine: tokens={self.tokens}; allowed: 1..{COLUMNS}")
        if self.rows < CHANNELS or COLUMNS % self.rows:
            raise ConfigError(f"engine: rows={self.rows}; allowed: 8, 16, 32, 64")
        for name in ("bits", "values", "weights", "params", "steps", "taps"):
            depth = getattr(self, name)
            if not 16 <= depth <= 1 << ADDRESS_BITS or depth & (depth - 1):
                raise ConfigError(f"engine: {name}={depth}; allowed: powers of two, 16..{1 << ADDRESS_BITS}")

    @property
    def groups(self) -> int:
        """Groups of channels that a result of the matrix unit gives to the vector unit."""
        return self.rows // CHANNELS

    @property
    def key_slots(self) -> int:
        """Slots of keys in a word of attended bits."""
        return COLUMNS // self.tokens

    @property
    def identity(self) -> str:
        """What a programme says it was compiled for: a hash of version and configuration."""
        return hashlib.sha256(repr((VERSION, sorted(asdict(self).items()))).encode()).hexdigest()
