"""Stand-ins for the Vivado commands that our scripts use: they record a block design and refuse what Vivado would.

Pins and interfaces of the vendor's IP are from its product guides (PG021 AXI DMA, PG247 SmartConnect, PG164 Processor
System Reset, UG585 for the processing system). What is not recorded here is not checked: see docs/vivado.md.
"""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from pathlib import Path

#: IP -> interfaces (m: master, s: slave), clock inputs, reset inputs, other pins
IP = {
    "processing_system7": {
        "m": {"M_AXI_GP0"},
        "s": {"S_AXI_HP0"},
        "clocks": {"M_AXI_GP0_ACLK", "S_AXI_HP0_ACLK"},
        "resets": set(),
        "pins": {"FCLK_CLK0", "FCLK_RESET0_N", "IRQ_F2P"},
    },
    "axi_dma": {
        "m": {"M_AXI_MM2S", "M_AXI_S2MM", "M_AXIS_MM2S"},
        "s": {"S_AXI_LITE", "S_AXIS_S2MM"},
        "clocks": {"s_axi_lite_aclk", "m_axi_mm2s_aclk", "m_axi_s2mm_aclk"},
        "resets": {"axi_resetn"},
        "pins": {"mm2s_introut", "s2mm_introut"},
    },
    "smartconnect": {
        "m": {"M00_AXI", "M01_AXI"},
        "s": {"S00_AXI", "S01_AXI"},
        "clocks": {"aclk"},
        "resets": {"aresetn"},
        "pins": set(),
    },
    "proc_sys_reset": {
        "m": set(),
        "s": set(),
        "clocks": {"slowest_sync_clk"},
        "resets": {"ext_reset_in"},
        "pins": {"interconnect_aresetn", "peripheral_aresetn"},
    },
    "xlconcat": {"m": set(), "s": set(), "clocks": set(), "resets": set(), "pins": {"In0", "In1", "dout"}},
    "accelerator": {
        "m": {"m_axis"},
        "s": {"s_axis", "s_axil"},
        "clocks": {"ap_clk"},
        "resets": {"ap_rst_n"},
        "pins": set(),
    },
}

#: commands that are accepted and answer with an empty string
_QUIET = """
create_project update_ip_catalog create_bd_design validate_bd_design save_bd_design make_wrapper launch_runs
wait_on_run open_run report_utilization report_timing_summary report_power apply_bd_automation close_project
current_project current_fileset get_files get_runs get_board_parts get_bd_addr_spaces ipx::package_project
ipx::associate_bus_interfaces ipx::infer_bus_interface ipx::add_bus_parameter ipx::get_bus_interfaces
ipx::add_memory_map ipx::add_address_block ipx::update_checksums ipx::check_integrity ipx::save_core
""".split()  # noqa: SIM905


class VivadoEmulation:
    """Runs a script in a Tcl interpreter whose unknown commands are errors, and keeps what the script built."""

    def __init__(self, accelerator: str) -> None:
        self.tcl = tkinter.Tcl()
        self.accelerator = accelerator
        self.cells: dict[str, str] = {}
        self.properties: dict[str, dict[str, str]] = {}
        self.interface_nets: list[tuple[str, str]] = []
        self.nets: list[tuple[str, ...]] = []
        self.addresses: list[tuple[str, int, int]] = []
        self.files: list[str] = []
        self.slack = "0.5"
        for name in dir(self):
            if name.startswith("cmd_"):
                self.tcl.createcommand(name[4:].replace("__", "::"), self._guard(getattr(self, name)))
        for quiet in _QUIET:
            namespace = quiet.rpartition("::")[0]
            if namespace:
                self.tcl.eval(f"namespace eval {namespace} {{}}")
            self.tcl.createcommand(quiet, lambda *_: "")
        for name in ("ipx::current_core", "ipx::get_memory_maps", "ipx::get_address_blocks"):
            self.tcl.createcommand(name, lambda *_: "")

    @staticmethod
    def _guard(function: Callable[..., str | None]) -> Callable[..., str]:
        return lambda *words: function(*map(str, words)) or ""

    def run(self, script: Path) -> None:
        """Source the script; a Tcl error is a tkinter.TclError."""
        self.tcl.eval(f"source {{{script}}}")

    def cmd_add_files(self, *words: str) -> None:
        file = words[-1]
        if not Path(file).is_file():
            raise FileNotFoundError(file)
        self.files.append(Path(file).name)

    def cmd_create_bd_cell(self, *words: str) -> str:
        vlnv, name = words[words.index("-vlnv") + 1], words[-1]
        kind = vlnv.split(":")[2]
        if name in self.cells:
            raise ValueError(f"cell {name} exists already")
        self.cells[name] = "accelerator" if kind == self.accelerator else kind
        if self.cells[name] not in IP:
            raise ValueError(f"unknown IP {vlnv}")
        return name

    def cmd_set_property(self, *words: str) -> None:
        if words[0] == "-dict":
            flat = self.tcl.splitlist(words[1])
            pairs = dict(zip(map(str, flat[::2]), map(str, flat[1::2]), strict=True))
            target = words[2]
        else:
            pairs, target = {words[0]: words[1]}, words[2]
        self.properties.setdefault(target, {}).update(pairs)

    def cmd_get_property(self, *words: str) -> str:
        return {"PROGRESS": "100%", "SLACK": self.slack}[words[0]]

    def cmd_get_timing_paths(self, *words: str) -> str:
        return "path"

    def _pin(self, path: str, *kinds: str) -> str:
        cell, _, pin = path.partition("/")
        if cell not in self.cells:
            raise ValueError(f"{path}: no cell {cell}")
        if not any(pin in IP[self.cells[cell]][kind] for kind in kinds):
            raise ValueError(f"{path}: {self.cells[cell]} has no {' / '.join(kinds)} {pin}")
        return path

    def cmd_get_bd_intf_pins(self, path: str) -> str:
        return self._pin(path, "m", "s")

    def cmd_get_bd_pins(self, path: str) -> str:
        return self._pin(path, "clocks", "resets", "pins")

    def cmd_connect_bd_intf_net(self, a: str, b: str) -> None:
        kinds = ["m" if p.split("/")[1] in IP[self.cells[p.split("/")[0]]]["m"] else "s" for p in (a, b)]
        if sorted(kinds) != ["m", "s"]:
            raise ValueError(f"{a} and {b} are both {kinds[0]}")
        for used in self.interface_nets:
            for pin in (a, b):
                if pin in used:
                    raise ValueError(f"{pin} is connected already")
        self.interface_nets.append((a, b))

    def cmd_connect_bd_net(self, *pins: str) -> None:
        self.nets.append(pins)

    def cmd_get_bd_addr_segs(self, path: str) -> str:
        return path

    def cmd_assign_bd_address(self, *words: str) -> None:
        option = {words[i]: words[i + 1] for i in range(0, len(words) - 1, 2)}
        size = option["-range"]
        scale = {"K": 1 << 10, "M": 1 << 20}[size[-1]]
        self.addresses.append((words[-1], int(option["-offset"], 0), int(size[:-1]) * scale))

    def connected(self, pin: str) -> str | None:
        """The first pin (the driver) of the net that ``pin`` is on."""
        return next((net[0] for net in self.nets if pin in net), None)

    def unconnected(self) -> list[str]:
        """Interfaces, clocks and resets that nothing is connected to (SmartConnect: up to NUM_SI, NUM_MI)."""
        used = {pin for net in self.interface_nets for pin in net}
        missing = []
        for cell, kind in self.cells.items():
            interfaces = IP[kind]["m"] | IP[kind]["s"]
            if kind == "smartconnect":
                count = {k: int(self.properties[cell][f"CONFIG.NUM_{k}"]) for k in ("SI", "MI")}
                interfaces = {f"S{i:02}_AXI" for i in range(count["SI"])} | {f"M{i:02}_AXI" for i in range(count["MI"])}
            missing += [f"{cell}/{i}" for i in sorted(interfaces) if f"{cell}/{i}" not in used]
            pins = sorted(IP[kind]["clocks"] | IP[kind]["resets"])
            missing += [f"{cell}/{p}" for p in pins if self.connected(f"{cell}/{p}") is None]
        return missing
