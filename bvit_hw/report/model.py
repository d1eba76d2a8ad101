"""The report as data: what report.json holds, and what the page and the terminal table are drawn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import Field

from bvit_hw.disk import write_aside
from bvit_hw.report.engine import EngineRun
from bvit_hw.report.record import Record
from bvit_hw.report.timing import Timing


class Cycles(Record):
    """Cycles a frame in steady state: by the cycle model, and counted in simulation (None: not simulated)."""

    model: int
    simulated: float | None


class Accuracy(Record):
    """Shares of right answers, 0..1: of ``images`` of ``data`` by ``qat`` and ``frozen``, of ``rtl_images`` by ``rtl``.

    ``rtl_images`` is 0 where the RTL was not simulated.

    ``rtl_equal_to_frozen`` says whether every simulated logit was the frozen model's. Where nothing was measured,
    ``not_measured`` says why, ``data`` what was simulated, and ``recorded`` what the checkpoint says of itself: its
    accuracy on ``recorded_images`` images of ``recorded_data`` when training ended.
    """

    data: str
    notes: list[str] = Field(default_factory=list)
    not_measured: str = ""
    recorded: float | None = None
    recorded_images: int | None = None
    recorded_data: str | None = None
    qat: float | None
    frozen: float | None
    rtl: float | None
    images: int
    rtl_images: int
    rtl_equal_to_frozen: bool | None

    @property
    def record(self) -> str:
        """What the checkpoint says of its own accuracy, in words; nothing where the QAT model was measured here."""
        if self.qat is not None:
            return ""
        if self.recorded is None:
            return "the checkpoint records none"
        count = "" if self.recorded_images is None else f"{self.recorded_images:,} images of "
        return f"{self.recorded:.2%} on {count}{self.recorded_data or 'its data'}, as the checkpoint records"


class Resource(Record):
    """One kind of resource: predicted by the cost model, counted after synthesis, allowed, and on the FPGA.

    ``model`` is None where there is no cost model.
    """

    model: float | None
    synthesized: float | None
    budget: float
    available: float

    @property
    def used(self) -> float:
        """What was counted, or else what is predicted; 0 where neither is known."""
        return self.synthesized or self.model or 0.0

    @property
    def predicted(self) -> str:
        """The cost model's figure in words."""
        return "not modelled" if self.model is None else f"{self.model:,.0f}"


class FifoMemory(Record):
    """The FIFOs that are kept in one kind of memory: how many, their ``bits``, and what they take of ``resource``.

    ``model`` is predicted, ``synthesized`` counted (None: not run).
    """

    kind: str
    fifos: int
    bits: int
    resource: str
    model: float
    synthesized: float | None


class FifoRow(Record):
    """One FIFO: ``depth`` beats of ``width`` bits. Sizing saw it hold ``held`` and measured that it needs ``needed``.

    ``needed`` is the least depth with which the schedule of that run holds; another one may be as fast with less. Where
    it was tried, ``least`` is the depth with which the accelerator is as fast as it is built, and ``below`` what a beat
    less does to it: "stuck" or "slower" (empty: there is no FIFO of fewer beats). None: not tried.
    """

    name: str
    memory: str
    depth: int
    width: int
    held: int
    needed: int
    least: int | None = None
    below: str | None = None

    @property
    def tight(self) -> bool | None:
        """Whether one beat less than it is built with would be noticed; None: not tried."""
        return None if self.least is None else self.least == self.depth and bool(self.below)


class Die(Record):
    """A kernel of the accelerator and the die that it is on; ``leaves_bits`` are those of a beat to the next one.

    Of ``resources``, "available" is what the platform leaves of the die.
    """

    name: str
    kernel: str
    operators: int
    leaves_bits: int | None
    resources: dict[str, Resource]


class Stage(Record):
    """A part of the network on a frame's way: ``starts`` cycles after the frame its result begins, by the model."""

    name: str
    starts: int


class OperatorRow(Record):
    """One operator of the accelerator."""

    name: str
    op: str
    group: str
    folding: dict[str, int]
    cycles: int
    predicted: dict[str, float]
    synthesized: dict[str, float] | None


class Edge(Record):
    """One stream between operators, with the FIFO on it: ``depth`` beats of ``width`` bits."""

    source: str
    target: str
    depth: int
    width: int
    tensor: str


class StepRow(Record):
    """One step of the build; ``status`` is done, cached, not run or left out (as its user wished)."""

    name: str
    status: str
    seconds: float
    note: str = ""


class Implementation(Record):
    """What the vendor's tool says of the placed and routed accelerator. Slacks and power: None for Alveo cards.

    Resources are the accelerator's own, on an Alveo card with its data movers; power is the whole chip's.
    """

    lut: float
    ff: float
    bram18: float
    uram: float
    dsp: float
    clock_mhz: float
    setup_slack_ns: float | None = None
    hold_slack_ns: float | None = None
    power_w: float | None = None
    dynamic_power_w: float | None = None


class Bitstream(Record):
    """Whether there is a bitstream, what became of it, and how to get one if not (empty without a package)."""

    built: bool
    note: str
    command: str
    implementation: Implementation | None = None


class HlsPart(Record):
    """Operators asked for in HLS: what ran, what did not, and what Vitis HLS says (by operator; empty: not run)."""

    operators: dict[str, str]
    images: int
    logits_equal_to_frozen: bool
    note: str
    reports: dict[str, dict[str, Any]]


class Report(Record):
    """All that a build knows of its accelerator.

    ``architecture`` is "streaming" or "engine", ``architecture_note`` why (empty: there was no choice); of an engine
    ``engine`` says more, and there are no operators. ``timing`` is None where its step was left out.

    ``synthesized_shapes``: how many different operators Yosys counted, each with the contents of the first of its
    shape; None: every operator by itself, or none. ``no_simulated_device`` says why the package has none (empty: it
    has one, or there is no package). ``graphs`` are the files of the build that Netron shows, by their path in its
    folder, and what each is.
    """

    board: str
    board_title: str
    part: str
    clock_mhz: float
    clock_note: str
    model: str
    model_hash: str
    cycles_per_frame: Cycles
    frames_per_second: float
    latency_cycles: int | None
    accuracy: Accuracy
    resources: dict[str, Resource]
    fifo_bits: int
    fifo_memory: list[FifoMemory] = Field(default_factory=list)
    fifos: list[FifoRow] = Field(default_factory=list)
    dies: list[Die] = Field(default_factory=list)
    way: list[Stage] = Field(default_factory=list)
    binary_macs: int = 0
    steps: list[StepRow]
    bitstream: Bitstream
    no_simulated_device: str = ""
    synthesized_shapes: int | None = None
    operators: list[OperatorRow]
    edges: list[Edge]
    versions: dict[str, str]
    hls: HlsPart | None = None
    timing: Timing | None = None
    architecture: str = "streaming"
    architecture_note: str = ""
    engine: EngineRun | None = None
    graphs: dict[str, str] = Field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write report.json atomically."""
        # Derived figures are for whoever reads the file; reading it back computes them anew.
        figures = self.model_dump() | {"latency_us": self.latency_us, "gops_per_klut": self.gops_per_klut}
        for row, fifo in zip(figures["fifos"], self.fifos, strict=True):
            row["tight"] = fifo.tight
        write_aside(path, json.dumps(figures, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Report:
        """Read report.json."""
        figures = json.loads(path.read_text())
        for derived in ("latency_us", "gops_per_klut"):
            figures.pop(derived, None)
        for row in figures.get("fifos", ()):
            row.pop("tight", None)
        return cls.model_validate(figures)

    @property
    def bottleneck(self) -> OperatorRow:
        """The slowest operator by the cycle model."""
        return max(self.operators, key=lambda row: row.cycles)

    @property
    def limited_by(self) -> str:
        """What limits the frame rate by the cycle model: the slowest operator, or the streams into and out of all."""
        if self.engine is not None:
            longest = max(self.engine.parts, key=lambda part: part.takes)
            return f"{longest.name}, {longest.takes:,} cycles of a frame by the model"
        slowest, cycles = self.bottleneck, self.cycles_per_frame.model
        if cycles > slowest.cycles:
            return f"the accelerator's streams ({cycles:,} cycles for a frame's pixels and logits)"
        return f"{slowest.name} ({slowest.op}, {slowest.cycles:,} cycles)"

    @property
    def synthesis_note(self) -> str:
        """What Yosys' counts leave out; nothing where every operator was counted by itself."""
        if self.synthesized_shapes is None:
            return ""
        return (
            f"Yosys counted operators of equal shape once, {self.synthesized_shapes:,} shapes, "
            "each with the weights and biases of the first one"
        )

    @property
    def latency_us(self) -> float | None:
        """Microseconds from a frame's first pixel to its last logit at the report's clock; None: not simulated."""
        return None if self.latency_cycles is None else self.latency_cycles / self.clock_mhz

    @property
    def gops_per_klut(self) -> float | None:
        """Binary operations of the whole accelerator, two a multiply-accumulate: 10^9 a second for each 1,000 LUTs.

        LUTs are those that Yosys counted, or else the model's; None where neither is known.
        """
        lut = self.resources["lut"].used
        return 2 * self.binary_macs * self.frames_per_second / 1e6 / lut if lut else None

    def summary(self) -> dict[str, Any]:
        """Figures for the head of page and table, formatted."""
        simulated = self.cycles_per_frame.simulated
        return {
            "frames/s": f"{self.frames_per_second:,.0f}" + (" by the cycle model" if simulated is None else ""),
            "cycles/frame": f"{self.cycles_per_frame.model:,} model, "
            + (f"{simulated:,.0f} simulated" if simulated is not None else "not simulated"),
            "latency": "not simulated"
            if self.latency_cycles is None
            else f"{self.latency_us:,.1f} µs ({self.latency_cycles:,} cycles at {self.clock_mhz:g} MHz)",
            "GOPS/kLUT": "not known" if self.gops_per_klut is None else f"{self.gops_per_klut:,.1f} binary",
        }
