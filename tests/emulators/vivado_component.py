"""The packaged accelerator as the emulated Vivado keeps it, and what packaging reads out of Verilog."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tests.emulators.vivado_catalogue import Interface, Ip, Pin, Segment

_AXIS = {"tdata", "tvalid", "tready", "tkeep", "tlast"}
_AXI_LITE_OPTIONAL = {"awprot", "arprot", "wstrb"}
_AXI_LITE = {
    *("awaddr", "awvalid", "awready", "wdata", "wvalid", "wready", "bresp", "bvalid", "bready"),
    *("araddr", "arvalid", "arready", "rdata", "rresp", "rvalid", "rready"),
}
#: what AXI4 has beside: bursts, and what a master may leave to its default
_AXI_BURSTS = {*(f"{c}{s}" for c in ("ar", "aw") for s in ("len", "size", "burst")), "rlast", "wlast"}
_AXI_OPTIONAL = {f"{c}{s}" for c in ("ar", "aw") for s in ("cache", "prot", "lock", "qos", "region")}


@dataclass
class Component:
    """The packaged accelerator as the scripts left it."""

    vlnv: list[str]
    interfaces: dict[str, Interface]
    widths: dict[str, int]
    properties: dict[str, str] = field(default_factory=dict)
    clocks: dict[str, str] = field(default_factory=dict)
    resets: dict[str, str] = field(default_factory=dict)
    polarity: str = ""
    interrupts: tuple[str, ...] = ()
    block: dict[str, str] = field(default_factory=lambda: {"name": "reg0", "range": "65536"})
    finished: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """vendor:library:name:version."""
        return ":".join(self.vlnv)

    def ip(self) -> Ip:
        """As an IP that can be put into a block design."""
        pins = {"ap_clk": Pin("clock"), "ap_rst_n": Pin("reset")}
        pins |= {name: Pin("interrupt", out=True) for name in self.interrupts}
        reach = [(0, 1 << self.widths.get("m_axi_araddr", 0))]
        masters = {n: (n, reach) for n, i in self.interfaces.items() if i.master and i.protocol == "axi"}
        segment = Segment(f"s_axil/{self.block['name']}", "s_axil", int(self.block["range"], 0))
        return Ip({}, {}, lambda p: pins, lambda p: self.interfaces, lambda p: [segment], lambda p: masters)


@lru_cache(maxsize=1024)
def source_text(path: Path, changed: int) -> str:
    """A source without comments at line ends, and without what only simulations have."""
    text = re.sub(r"^`ifdef BVIT_\w+\n.*?^`(?:endif|else)", "", path.read_text(), flags=re.M | re.S)
    return "\n".join(line for line in text.split("\n") if re.search(r'module|bvit_|"', line))


def verilog_ports(path: Path) -> dict[str, tuple[str, int]]:
    """Ports of the one module of a Verilog-2001 file: name -> (input or output, bits)."""
    found = re.findall(r"^\s*(input|output)\s+wire\s+(?:\[(\d+):0\])?\s*(\w+)", path.read_text(), re.M)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in found}


def interrupt_ports(path: Path) -> tuple[str, ...]:
    """Outputs that the attribute in front of them makes interrupts."""
    marked = r'xilinx\.com:signal:interrupt:1\.0 (\w+) INTERRUPT".*\*\)\n\s*output wire\s+(\w+)'
    return tuple(port for name, port in re.findall(marked, path.read_text()) if name == port)


def inferred_interfaces(ports: dict[str, tuple[str, int]]) -> dict[str, Interface]:
    """Buses that a packager recognises by the names of their signals: AXI4-Stream, AXI4-Lite, AXI4."""
    groups: dict[str, dict[str, tuple[str, int]]] = {}
    for name, port in ports.items():
        prefix, _, suffix = name.rpartition("_")
        groups.setdefault(prefix, {})[suffix] = port
    found = {}
    for prefix, signals in groups.items():
        if {"tdata", "tvalid", "tready"} <= set(signals) <= _AXIS:
            master = signals["tvalid"][0] == "output"
            found[prefix] = Interface(master, "axis", "ap_clk", signals["tdata"][1])
        elif set(signals) - _AXI_LITE_OPTIONAL - _AXI_OPTIONAL in (_AXI_LITE, _AXI_LITE | _AXI_BURSTS):
            found[prefix] = Interface(signals["awvalid"][0] == "output", "axi", "ap_clk", signals["wdata"][1])
    return found
