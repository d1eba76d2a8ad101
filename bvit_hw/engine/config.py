"""What an engine is built with: what it does at once, and how deep its memories are."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass

from bvit_hw.errors import ConfigError

#: columns of the matrix unit, bits of a slice: a row of weights, a lane's bits of a word
COLUMNS = 64
#: bits that are written, masked and moved together, whatever the vector unit takes at once
OCTET = 8
#: octets in a word of bits
OCTETS = COLUMNS // OCTET
#: channels that a vector unit may take at once
CHANNELS = (8, 16, 32, 64)
#: bits that a beat of DRAM may have
PORTS = (64, 128)
#: addresses of on-chip memories, and counts of loops
ADDRESS_BITS = 16
#: words of the widest block of memory: deeper memories are a multiple of it
BLOCK_WORDS = 512
#: the memories, as EngineConfig names their depths
MEMORIES = ("bits", "values", "weights", "params", "steps", "taps")
#: raised whenever a command changes its meaning
VERSION = 6


@dataclass(frozen=True, kw_only=True)
class EngineConfig:
    """``tokens`` lanes, ``rows`` of the matrix and ``channels`` of the vector unit at once; depths of the memories.

    Words: ``bits`` tokens x 64 bits, ``values`` tokens x channels bytes, ``weights`` rows x 64 bits, ``params``
    channels x 32 bits, ``steps`` and ``taps`` 64 bits. A group is so many channels as the vector unit takes at once.
    ``port``: bits of a beat of DRAM. With 128 a group has 16 channels at least, so that words are whole beats.
    ``ultra`` is 1 where values lie in UltraRAM, whose words are as deep as one of it.
    """

    tokens: int = 7
    rows: int = 32
    channels: int = 8
    bits: int = 1024
    values: int = 4096
    weights: int = 1024
    params: int = 1024
    steps: int = 2048
    taps: int = 2048
    port: int = 64
    ultra: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.tokens <= COLUMNS:
            raise ConfigError(f"engine: tokens={self.tokens}; allowed: 1..{COLUMNS}")
        if self.channels not in CHANNELS:
            raise ConfigError(f"engine: channels={self.channels}; allowed: {', '.join(map(str, CHANNELS))}")
        if self.rows not in CHANNELS or self.rows < self.channels:
            allowed = ", ".join(str(n) for n in CHANNELS if n >= self.channels)
            raise ConfigError(f"engine: rows={self.rows}; allowed with channels={self.channels}: {allowed}")
        if self.port not in PORTS or 8 * self.channels < self.port:
            allowed = ", ".join(str(n) for n in PORTS if n <= 8 * self.channels)
            raise ConfigError(f"engine: port={self.port}; allowed with channels={self.channels}: {allowed}")
        if self.ultra not in (0, 1):
            raise ConfigError(f"engine: ultra={self.ultra}; allowed: 0, 1")
        for name in MEMORIES:
            depth = getattr(self, name)
            whole = depth % BLOCK_WORDS == 0 if depth > BLOCK_WORDS else depth & (depth - 1) == 0
            if not 16 <= depth <= 1 << ADDRESS_BITS or not whole:
                allowed = f"powers of two from 16 on, and multiples of {BLOCK_WORDS}, up to {1 << ADDRESS_BITS}"
                raise ConfigError(f"engine: {name}={depth}; allowed: {allowed}")

    @property
    def groups(self) -> int:
        """Groups of channels that a result of the matrix unit gives to the vector unit."""
        return self.rows // self.channels

    @property
    def slices(self) -> int:
        """Slices of 64 bits in a beat of DRAM."""
        return self.port // COLUMNS

    @property
    def key_slots(self) -> int:
        """Slots of keys in a word of attended bits."""
        return COLUMNS // self.tokens

    @property
    def widths(self) -> dict[str, int]:
        """Bits of a word of each memory."""
        bits, values = self.tokens * COLUMNS, self.tokens * self.channels * 8
        return dict(zip(MEMORIES, (bits, values, self.rows * COLUMNS, self.channels * 32, 64, 64), strict=True))

    @property
    def identity(self) -> str:
        """What a programme says it was compiled for: a hash of version and configuration."""
        return hashlib.sha256(repr((VERSION, sorted(asdict(self).items()))).encode()).hexdigest()
