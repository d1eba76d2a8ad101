"""The report's part on timing, as data."""

from __future__ import annotations

from bvit_hw.report.record import Record


class TimingPath(Record):
    """A register-to-register path inside ``operator``, from ``begin`` to ``end`` (nets; "" without a name)."""

    operator: str
    ns: float
    levels: int
    begin: str
    end: str


class TimingBetween(Record):
    """A path that leaves a register of the first of ``units`` and ends in the last; ``signal`` arrives there.

    Of an engine there is one unit, the whole, and ``signal`` says from where to where.
    """

    ns: float
    levels: int
    units: list[str]
    signal: str


class EnableNet(Record):
    """The net of ``operator`` that enables most flip-flops, ``fan_out`` of them."""

    operator: str
    net: str
    fan_out: int


class Timing(Record):
    """Estimates before placement, beside the clock's period; docs/timing.md says what they are worth.

    ``endangers`` are operators with a path longer than the period, and its ns. ``ready_chain`` are the most
    operators in a row whose ready depends on the next one's. A wire was allowed ``wire_ns``, and ``wire_doubling_ns``
    for each doubling of its fan-out; ``source`` says where those figures are from.
    """

    clock_ns: float
    slowest: TimingPath
    between: TimingBetween | None
    endangers: dict[str, float]
    ready_chain: list[str]
    enable: EnableNet
    control_sets: int
    control_sets_available: int
    wire_ns: float
    wire_doubling_ns: float
    source: str

    @property
    def verdict(self) -> str:
        """Which operators endanger the clock, in words."""
        if not self.endangers:
            return f"no path is estimated to take longer than the clock's {self.clock_ns:g} ns"
        # A manifest sorts its keys.
        slowest = sorted(self.endangers.items(), key=lambda item: (-item[1], item[0]))
        names = [f"{name} ({ns:.1f} ns)" for name, ns in slowest]
        more = f" and {len(names) - 5} more" if len(names) > 5 else ""
        return f"endanger the clock of {self.clock_ns:g} ns, by estimate: {', '.join(names[:5])}{more}"

    @property
    def lines(self) -> list[str]:
        """What there is to know, for page and terminal."""
        slow = self.slowest
        found = [
            self.verdict,
            f"slowest inside an operator: {slow.operator}, {slow.ns:.1f} ns, {slow.levels} cells"
            + (f", to {slow.end}" if slow.end else ""),
        ]
        if self.between is not None:
            units = self.between.units
            way = " -> ".join(units) if len(units) > 1 else f"{units[0]}, {self.between.signal}"
            found.append(f"slowest between operators: {self.between.ns:.1f} ns, {self.between.levels} cells: {way}")
        if self.ready_chain:
            found.append(f"longest chain of ready: {len(self.ready_chain)} operators, up to {self.ready_chain[-1]}")
        found.append(
            f"largest enable: {self.enable.fan_out:,} flip-flops of {self.enable.operator}; control sets: "
            f"{self.control_sets:,} of {self.control_sets_available:,}"
        )
        return found
