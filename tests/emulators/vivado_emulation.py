"""Stand-ins for the Vivado commands that our scripts use: they record what is built and refuse what Vivado would.

A script runs in a real Tcl interpreter (the one in Python's tkinter) in which every other command is unknown. Names
that are not there are answered as Vivado does, with nothing; :meth:`VivadoEmulation.faults` then says what is wrong
with the finished design. The IP is in :mod:`tests.emulators.vivado_catalogue`; docs/vivado.md says what this shows and
what not.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.emulators.vivado_catalogue import Interface, Segment
from tests.emulators.vivado_design import VivadoDesign


class VivadoEmulation(VivadoDesign):
    """Runs scripts as Vivado ``release`` would, with the board files ``boards`` installed, and keeps what they built.

    ``ddr_gib`` is the DRAM that the board's preset (or the explicit settings) give the processing system;
    ``maps_inferred`` says whether packaging makes the memory map of a register interface, and a reset's interface, by
    itself. What the script prints is in ``said``.
    """

    def driver(self, path: str) -> str | None:
        """The output pin that drives the net of ``path``, None where nothing does."""
        for net in self.nets:
            if path in net:
                return next((pin for pin in net if self._pin(pin).out), None)
        return None

    def faults(self) -> list[str]:
        """Everything that is wrong with the block design and the packaged core, in words."""
        return [
            *self.component_faults(),
            *self._interface_faults(),
            *self._pin_faults(),
            *self._clock_faults(),
            *self._address_faults(),
            *self._dma_faults(),
            *self._wizard_faults(),
            *(f"{step} never happened" for step in ("validated", "opened", "ordered") if step not in self.done),
            *self._board_faults(),
        ]

    def _board_faults(self) -> Iterator[str]:
        if ("board_part" in self.properties["project"]) != ("preset" in self.done):
            yield "the board's preset is not applied"

    def component_faults(self) -> list[str]:
        """What is wrong with the packaged core."""
        return list(self._component_faults())

    def _component_faults(self) -> Iterator[str]:
        component = self._component()
        for interface in component.interfaces:
            if component.clocks.get(interface) != "ap_clk":
                yield f"core: {interface} has no clock"
        if component.resets != {"ap_rst_n": "ap_clk"} or component.polarity != "ACTIVE_LOW":
            yield f"core: reset {component.resets} {component.polarity!r}"
        registers = any(i.protocol == "axi" and not i.master for i in component.interfaces.values())
        if registers and component.block != {"name": "reg0", "range": "4096", "usage": "register"}:
            yield f"core: registers {component.block}"
        maps = {"reset", *(("map:s_axil", "block:reg0", "referred") if registers else ())}
        if component.finished != {"pages", "checksums", "checked", "saved"} or self.maps != maps:
            yield f"core: only {component.finished}, {self.maps}"
        if "supported_families" not in component.properties:
            yield "core: for no family"

    def _interface_faults(self) -> Iterator[str]:
        used = {pin for net in self.interface_nets for pin in net}
        for cell in self.cells:
            yield from (f"/{cell}/{i} is not connected" for i in self.interfaces(cell) if f"/{cell}/{i}" not in used)
            for port in self.ip(cell).external:
                if f"{cell}/{port}" not in self.external:
                    yield f"/{cell}/{port} leads nowhere"
        for a, b in self.interface_nets:
            widths = [self._interface(pin).width for pin in (a, b)]
            if self._interface(a).protocol == "axis" and widths[0] != widths[1]:
                yield f"{a} has {widths[0]} bits, {b} {widths[1]}"

    def _pin_faults(self) -> Iterator[str]:
        for cell in self.cells:
            for name, pin in self.pins(cell).items():
                path = f"/{cell}/{name}"
                loads = [p for net in self.nets if path in net for p in net if not self._pin(p).out]
                if pin.out and pin.kind == "interrupt" and not loads:
                    yield f"{path} goes nowhere"
                if pin.out or not pin.required:
                    continue
                driver = self.driver(path)
                if driver is None:
                    yield f"{path} has no driver"
                elif self._pin(driver).kind != pin.kind:
                    yield f"{path} is driven by {driver}"
                elif pin.width and self._pin(driver).width != pin.width:
                    yield f"{path}: width {pin.width}, {driver} has {self._pin(driver).width}"

    def _dma_faults(self) -> Iterator[str]:
        """PG021: the memory side is as wide as the streams; and a batch of 64 MiB must be one transfer."""
        for cell, p in ((cell, self.parameters[cell]) for cell, kind in self.cells.items() if kind == "axi_dma"):
            for memory, stream in (("m_axi_mm2s", "m_axis_mm2s_t"), ("m_axi_s2mm", "s_axis_s2mm_t")):
                if int(p[f"c_{memory}_data_width"]) < int(p[f"c_{stream}data_width"]):
                    yield f"/{cell}: {memory} is narrower than its stream"
            if "0" in (p["c_include_mm2s_dre"], p["c_include_s2mm_dre"]):
                yield f"/{cell}: logits of an odd number of classes are not aligned from the second frame on"
            if int(p["c_sg_length_width"]) < 26:
                yield f"/{cell}: transfers of {1 << int(p['c_sg_length_width'])} bytes at most"

    def _wizard_faults(self) -> Iterator[str]:
        for cell, kind in self.cells.items():
            if kind == "clk_wiz" and self.parameters[cell]["PRIM_SOURCE"] not in ("No_buffer", "Global_buffer"):
                yield f"/{cell}/clk_in1 wants a pin of the FPGA, it is driven by {self.driver(f'/{cell}/clk_in1')}"

    def _clock_of(self, cell: str, interface: Interface) -> str | None:
        return self.driver(f"/{cell}/{interface.clock}")

    def _clock_faults(self) -> Iterator[str]:
        for a, b in self.interface_nets:
            clocks = [self._clock_of(pin.split("/")[1], self._interface(pin)) for pin in (a, b)]
            if clocks[0] != clocks[1]:
                yield f"{a} runs on {clocks[0]}, {b} on {clocks[1]}"
        for cell in self.cells:
            inputs = {name: pin for name, pin in self.pins(cell).items() if not pin.out}
            clocks = {self.driver(f"/{cell}/{name}") for name, pin in inputs.items() if pin.kind == "clock"}
            for name in [name for name, pin in inputs.items() if pin.kind == "reset"]:
                source = self.driver(f"/{cell}/{name}")
                if source and self.cells[source.split("/")[1]] == "proc_sys_reset":
                    generated = self.driver(f"/{source.split('/')[1]}/slowest_sync_clk")
                    if clocks != {generated}:
                        yield f"/{cell}/{name} is synchronous to {generated}, the cell runs on {clocks}"
                elif self.interfaces(cell):
                    yield f"/{cell}/{name} is reset by {source}, which no reset generator has synchronised"

    def _slaves(self, master: str) -> set[str]:
        """Slave interfaces that a master reaches, through SmartConnects."""
        reached = set()
        for a, b in self.interface_nets:
            if a == master:
                cell = b.split("/")[1]
                if self.cells[cell] == "smartconnect":
                    for name, interface in self.interfaces(cell).items():
                        if interface.master:
                            reached |= self._slaves(f"/{cell}/{name}")
                else:
                    reached.add(b)
        return reached

    def _address_faults(self) -> Iterator[str]:
        for cell in self.cells:
            for space, (master, ranges) in self.spaces(cell).items():
                reached = self._slaves(f"/{cell}/{master}")
                for other in self.cells:
                    for name, segment in self.segments(other).items():
                        if f"/{other}/{segment.interface}" in reached:
                            yield from self._segment_faults(f"/{cell}/{space}", f"/{other}/{name}", segment, ranges)
        for space, name, start, size in self.addresses:
            if size & (size - 1) or start % size:
                yield f"{name} in {space}: {size:#x} bytes at {start:#x} are not aligned"

    def _segment_faults(
        self, space: str, name: str, segment: Segment, ranges: list[tuple[int, int]]
    ) -> Iterator[str]:
        given = [(start, size) for s, seg, start, size in self.addresses if (s, seg) == (space, name)]
        if not given:
            if (space, name) not in self.excluded:
                yield f"{name} is neither assigned nor excluded in {space}"
            return
        ((start, size),) = given
        if size > segment.size or (segment.base is not None and start != segment.base):
            yield f"{name} in {space}: {size:#x} bytes at {start:#x}, it is {segment.size:#x} at {segment.base}"
        if not any(low <= start and start + size <= high for low, high in ranges):
            yield f"{name} in {space}: {start:#x} is out of reach"
        if (space, name) in self.excluded:
            yield f"{name} is assigned and excluded in {space}"
