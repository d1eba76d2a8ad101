"""Longest paths of a mapped netlist, before it is placed: static timing of one module of Yosys' JSON.

Every path of an operator lies between two of: its registers, its inputs, its outputs. The longest one of each kind is
found, with the delays that the target gives (targets/delays.py), so that the paths between operators follow from what
was found in each (flows/stitched_timing.py). The reset is left out: it is a register of its own, and lasts for cycles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bvit_hw.errors import ToolError
from bvit_hw.targets.delays import Delays

#: a net of the module, or a constant
Bit = int | str


@dataclass(frozen=True, kw_only=True)
class Path:
    """The longest path of a kind: ns, how many cells it goes through, from where, to where (nets; "" at a port)."""

    ns: float
    levels: int
    begin: str = ""
    end: str = ""


@dataclass(frozen=True, kw_only=True)
class UnitTiming:
    """What is known of one operator by itself.

    ``inputs`` and ``outputs`` are its streams in order, "PREFIX.PLACE"; a group is a stream's data, valid or ready,
    such as "m_axis.0.ready".

    ``inside`` is from register to register, ``arrive`` from a register to an output, ``need`` from an input to a
    register, ``through`` from an input to an output ("IN>OUT"). A path from an input begins with its wire; that of an
    output's is left to whoever reads it. ``enable`` is the net that enables most flip-flops, ``enable_fan_out`` of
    them. ``control_sets`` are the different triples of clock, enable and reset.
    """

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    inside: Path | None = None
    arrive: Mapping[str, Path] = field(default_factory=dict)
    need: Mapping[str, Path] = field(default_factory=dict)
    through: Mapping[str, Path] = field(default_factory=dict)
    enable: str = ""
    enable_fan_out: int = 0
    control_sets: int = 0

    def as_json(self) -> dict[str, Any]:
        """For a file; :meth:`read` is its inverse."""
        return asdict(self)

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """From :meth:`as_json`."""
        kinds = ("arrive", "need", "through")
        tables = {name: {key: Path(**path) for key, path in data[name].items()} for name in kinds}
        inside = None if data["inside"] is None else Path(**data["inside"])
        streams = {name: tuple(data[name]) for name in ("inputs", "outputs")}
        return cls(**{**data, **tables, **streams, "inside": inside})


@dataclass(frozen=True, slots=True)
class _Arc:
    """From a net to another one through a cell: ns with the wire to the cell, and whether it counts as a level."""

    source: int
    ns: float
    level: int


class _Netlist:
    """Arcs, ends and starts of one module."""

    def __init__(self, module: Mapping[str, Any], delays: Delays) -> None:
        self.delays = delays
        self.arcs: dict[int, list[_Arc]] = {}
        self.starts: dict[int, float] = {}
        self.ends: list[tuple[int, float, int | str]] = []
        self.enables: Counter[Bit] = Counter()
        self.control_sets: set[tuple[Bit, ...]] = set()
        self.names = _names(module)
        # what Yosys leaves to name what it flattened is no cell
        cells: list[Mapping[str, Any]] = [cell for cell in module["cells"].values() if cell["type"] != "$scopeinfo"]
        outputs = [{p for p, way in cell["port_directions"].items() if way == "output"} for cell in cells]
        fan_out = Counter(
            bit
            for cell, outs in zip(cells, outputs, strict=True)
            for port, bits in cell["connections"].items()
            if port not in outs
            for bit in bits
            if isinstance(bit, int)
        )
        self._wires = {bit: delays.wire_ns(count) for bit, count in fan_out.items()}
        for cell in cells:
            self._add(cell)
        self.order = self._sorted()

    def _add(self, cell: Mapping[str, Any]) -> None:
        kind, connections = str(cell["type"]).lstrip("\\"), cell["connections"]
        found = self.delays.of(kind, cell.get("parameters", {}))
        if found is None:
            raise ToolError(f"timing: a mapped cell whose delays the target does not know: {kind}")
        if kind in self.delays.controls:
            clock, enable, reset = (
                connections.get(port, ["1"])[0] if port else "1" for port in self.delays.controls[kind]
            )
            self.control_sets.add((clock, enable, reset))
            if isinstance(enable, int):
                self.enables[enable] += 1
        for port, ns in found.clocked.items():
            for bit in connections.get(port, ()):
                self.starts[bit] = max(self.starts.get(bit, 0.0), ns)
        # A register is called by what it puts out: its input seldom has a name.
        own = next((bits[0] for port in found.clocked if (bits := connections.get(port))), kind)
        for port, ns in found.setup.items():
            for bit in connections.get(port, ()):
                if isinstance(bit, int):
                    self.ends.append((bit, ns + (0.0 if port in found.direct else self._wires[bit]), own))
        for (source, target), ns in found.through.items():
            for place, bit in enumerate(connections.get(source, ())):
                if not isinstance(bit, int):
                    continue
                arc = _Arc(bit, ns + (0.0 if source in found.direct else self._wires[bit]), int(ns > 0))
                for other, out in enumerate(connections.get(target, ())):
                    if isinstance(out, int) and not (found.rising and other < place):
                        self.arcs.setdefault(out, []).append(arc)

    def _sorted(self) -> list[int]:
        """Nets behind combinational cells, each after those that it depends on."""
        readers: dict[int, list[int]] = {}
        left = {}
        for net, arcs in self.arcs.items():
            sources = {arc.source for arc in arcs if arc.source in self.arcs}
            left[net] = len(sources)
            for source in sources:
                readers.setdefault(source, []).append(net)
        order = [net for net, count in left.items() if not count]
        for net in order:
            for reader in readers.get(net, ()):
                left[reader] -= 1
                if not left[reader]:
                    order.append(reader)
        if len(order) < len(self.arcs):
            loop = next(net for net, count in left.items() if count)
            raise ToolError(f"timing: a combinational loop, through {self.names.get(loop, loop)}")
        return order

    def arrivals(self, starts: Mapping[int, float]) -> dict[int, tuple[float, int, int]]:
        """Of every net that ``starts`` reach: when it is there, cells on the way, and where that began."""
        found = {net: (ns, 0, net) for net, ns in starts.items()}
        for net in self.order:
            best = found.get(net)
            for arc in self.arcs[net]:
                before = found.get(arc.source)
                if before is not None and (best is None or before[0] + arc.ns > best[0]):
                    best = (before[0] + arc.ns, before[1] + arc.level, before[2])
            if best is not None:
                found[net] = best
        return found

    def longest(
        self, found: Mapping[int, tuple[float, int, int]], ends: Iterable[tuple[int, float, Bit]]
    ) -> Path | None:
        """The longest of the ways to ``ends``: nets, with what follows each, and the net that it is called by."""
        best: tuple[float, int, int] | None = None
        last: Bit = ""
        for net, after, own in ends:
            if net in found and (best is None or found[net][0] + after > best[0]):
                best, last = (found[net][0] + after, *found[net][1:]), own
        if best is None:
            return None
        end = last if isinstance(last, str) else self.names.get(last, "")
        return Path(ns=round(best[0], 3), levels=best[1], begin=self.names.get(best[2], ""), end=end)


def _names(module: Mapping[str, Any]) -> dict[int, str]:
    """What the nets are called: the shortest of their names, those that Yosys made left out."""
    found: dict[int, str] = {}
    for name, net in module.get("netnames", {}).items():
        if net.get("hide_name"):
            continue
        own = name.removeprefix("u_dut.")
        for place, bit in enumerate(net["bits"]):
            text = f"{own}[{place}]" if len(net["bits"]) > 1 else own
            if isinstance(bit, int) and (bit not in found or len(text) < len(found[bit])):
                found[bit] = text
    return found


def _streams(packed: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    return tuple(f"{prefix}.{place}" for prefix, widths in packed.items() for place in range(len(widths)))


def groups_of(
    inputs: Mapping[str, Sequence[int]], outputs: Mapping[str, Sequence[int]]
) -> dict[str, tuple[str, slice, bool]]:
    """The groups of an operator's streams: port, bits of it, and whether it is an input of the module.

    ``inputs`` and ``outputs`` map prefixes to the widths of the streams packed into each.
    """
    found: dict[str, tuple[str, slice, bool]] = {}
    for streams, is_input in ((inputs, True), (outputs, False)):
        for prefix, widths in streams.items():
            start = 0
            for place, width in enumerate(widths):
                found[f"{prefix}.{place}.data"] = (f"{prefix}_tdata", slice(start, start + width), is_input)
                found[f"{prefix}.{place}.valid"] = (f"{prefix}_tvalid", slice(place, place + 1), is_input)
                found[f"{prefix}.{place}.ready"] = (f"{prefix}_tready", slice(place, place + 1), not is_input)
                start += width
    return found


def unit_timing(
    module: Mapping[str, Any],
    delays: Delays,
    inputs: Mapping[str, Sequence[int]],
    outputs: Mapping[str, Sequence[int]],
) -> UnitTiming:
    """Timing of a module of Yosys' JSON, whose streams are ``inputs`` and ``outputs`` (see :func:`groups_of`).

    Raises ToolError for a cell whose delays are not known, and for a combinational loop.
    """
    netlist = _Netlist(module, delays)
    groups = {
        name: ([bit for bit in module["ports"][port]["bits"][bits] if isinstance(bit, int)], is_input)
        for name, (port, bits, is_input) in groups_of(inputs, outputs).items()
    }
    outs = {name: [(bit, 0.0, bit) for bit in bits] for name, (bits, is_input) in groups.items() if not is_input}
    found = netlist.arrivals(netlist.starts)
    arrive = {name: path for name, ends in outs.items() if (path := netlist.longest(found, ends))}
    need: dict[str, Path] = {}
    through: dict[str, Path] = {}
    for name, (bits, is_input) in groups.items():
        if not is_input:
            continue
        reached = netlist.arrivals(dict.fromkeys(bits, 0.0))
        if path := netlist.longest(reached, netlist.ends):
            need[name] = path
        through |= {f"{name}>{out}": path for out, ends in outs.items() if (path := netlist.longest(reached, ends))}
    ((enable, fan_out),) = netlist.enables.most_common(1) or [("", 0)]
    return UnitTiming(
        inputs=_streams(inputs),
        outputs=_streams(outputs),
        inside=netlist.longest(found, netlist.ends),
        arrive=arrive,
        need=need,
        through=through,
        enable=netlist.names.get(enable, "") if isinstance(enable, int) else "",
        enable_fan_out=fan_out,
        control_sets=len(netlist.control_sets),
    )
