"""The report's part on a single engine and the network that runs on it, as data."""

from __future__ import annotations

from bvit_hw.report.record import Record


class EngineMemory(Record):
    """A memory of a single engine: ``words`` of ``bits``, and the most words that the network uses at once."""

    name: str
    words: int
    bits: int
    most_used: int


class EnginePart(Record):
    """A part of the network on a single engine, by the model of cycles: ``takes`` of a frame.

    The others are what it would take one after another; much of loading and fetching lies beside computing.
    """

    name: str
    takes: int
    computing: int
    filling: int
    loading: int
    fetching: int


class EngineUnit(Record):
    """What Yosys counted of a unit of a single engine."""

    name: str
    lut: float
    ff: float
    bram18: float
    dsp: float


class EngineRun(Record):
    """A single engine with its programme: sizes, memories, parts, units.

    ``cycles_half_bandwidth``: of a frame with half of DRAM's bandwidth, by the model of cycles.
    ``waiting`` splits a simulated frame's cycles: the units worked (core), or were idle and waited for DRAM. ``images``
    of those ``asked`` for were simulated with DRAM of ``latency`` cycles; one of them once more with DRAM of
    ``hesitant_latency`` whose channels hesitate in ``hesitates_in_16`` of 16 cycles. None: not simulated.
    """

    identity: str
    numbers: dict[str, int]
    commands: int
    programme_bytes: int
    dram_bytes: int
    cycles_half_bandwidth: int
    memories: list[EngineMemory]
    parts: list[EnginePart]
    units: list[EngineUnit]
    images: int | None = None
    asked: int | None = None
    waiting: dict[str, int] | None = None
    latency: int | None = None
    cycles_hesitant: int | None = None
    hesitant_latency: int | None = None
    hesitates_in_16: int | None = None

    @property
    def note(self) -> str:
        """How much of what was asked for was simulated."""
        if self.images is None or self.asked is None or self.images >= self.asked:
            return ""
        return f"{self.images} of {self.asked} images simulated: more frames of this size take too long"
