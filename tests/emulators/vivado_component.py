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
    block: dict[str, str] = field(default_factory=lambda: {"name": "reg0", "range": "65536"})
    finished: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        """vendor:library:name:version."""
        return ":".join(self.vlnv)

    def ip(self) -> Ip:
        """As an IP that can be put into a block design."""
        pins = {"ap_clk": Pin("clock"), "ap_rst_n": Pin("reset")}
        segment = Segment(f"s_axil/{self.block['name']}", "s_axil", int(self.block["range"], 0))
        return Ip({}, {}, lambda p: pins, lambda p: self.interfaces, lambda p: [segment])


@lru_cache(maxsize=1024)
def source_text(path: Path, changed: int) -> str:
    """A source without comments at line ends, and without what only simulations have."""
    text = re.sub(r"^`ifdef BVIT_\w+\n.*?^`(?:endif|else)", "", path.read_text(), flags=re.M | re.S)
    return "\n".join(line for line in text.split("\n") if re.search(r'module|bvit_|"', line))


def verilog_ports(path: Path) -> dict[str, tuple[str, int]]:
    """Ports of the one module of a Verilog-2001 file: name -> (input or output, bits)."""
    found = re.findall(r"^\s*(input|output)\s+wire\s+(?:\[(\d+):0\])?\s*(\w+)", path.read_text(), re.M)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in found}


def inferred_interfaces(ports: dict[str, tuple[str, int]]) -> dict[str, Interface]:
    """Buses that a packager recognises by the names of their signals: AXI4-Stream and AXI4-Lite."""
    groups: dict[str, dict[str, tuple[str, int]]] = {}
    for name, port in ports.items():
        prefix, _, suffix = name.rpartition("_")
        groups.setdefault(prefix, {})[suffix] = port
    found = {}
    for prefix, signals in groups.items():
        if {"tdata", "tvalid", "tready"} <= set(signals) <= _AXIS:
            master = signals["tvalid"][0] == "output"
            found[prefix] = Interface(master, "axis", "ap_clk", signals["tdata"][1])
        elif set(signals) - _AXI_LITE_OPTIONAL == _AXI_LITE:
            found[prefix] = Interface(signals["awvalid"][0] == "output", "axi", "ap_clk", signals["wdata"][1])
    return found
