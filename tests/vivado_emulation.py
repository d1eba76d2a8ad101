"""Stand-ins for the Vivado commands that our scripts use: they record what is built and refuse what Vivado would.

A script runs in a real Tcl interpreter (the one in Python's tkinter) in which every other command is unknown. Names
that are not there are answered as Vivado does, with nothing; :meth:`VivadoEmulation.faults` then says what is wrong
with the finished design. The IP is in :mod:`tests.vivado_catalogue`; docs/vivado.md says what this shows and what not.
"""

from __future__ import annotations

import fnmatch
import re
import tkinter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from tests.vivado_catalogue import CATALOGUE, Interface, Ip, Pin, Segment, legal

STATISTICS = {"WNS": "0.412", "WHS": "0.018", "TPWS": "0.000"}
_AXIS = {"tdata", "tvalid", "tready", "tkeep", "tlast"}
_AXI_LITE_OPTIONAL = {"awprot", "arprot", "wstrb"}
_AXI_LITE = {
    *("awaddr", "awvalid", "awready", "wdata", "wvalid", "wready", "bresp", "bvalid", "bready"),
    *("araddr", "arvalid", "arready", "rdata", "rresp", "rvalid", "rready"),
}
#: properties that objects other than cells have
_PROPERTIES = {
    "project": {"board_part", "ip_repo_paths"},
    "fileset": {"top"},
    "file": {"file_type"},
    "run": {"STEPS.PHYS_OPT_DESIGN.IS_ENABLED", "STEPS.POST_ROUTE_PHYS_OPT_DESIGN.IS_ENABLED"},
    "core": {
        *("name", "version", "display_name", "description", "supported_families"),
        *("sdx_kernel", "sdx_kernel_type", "vitis_drc", "ipi_drc"),
    },
    "parameter": {"value"},
    "bus": {"slave_memory_map_ref"},
    "block": {"name", "range", "usage"},
}


class EmulatedError(Exception):
    """What Vivado would have answered with an error."""


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
def _text(path: Path, changed: int) -> str:
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


class VivadoEmulation:
    """Runs scripts as Vivado ``release`` would, with the board files ``boards`` installed, and keeps what they built.

    ``ddr_gib`` is the DRAM that the board's preset (or the explicit settings) give the processing system;
    ``maps_inferred`` says whether packaging makes the memory map of a register interface, and a reset's interface, by
    itself. What the script prints is in ``said``.
    """

    def __init__(
        self,
        release: str = "2022.2",
        boards: tuple[str, ...] = (),
        ddr_gib: int = 2,
        *,
        maps_inferred: bool = True,
    ) -> None:
        self.tcl = tkinter.Tcl()
        self.release, self.installed, self.ddr_gib = release, boards, ddr_gib
        self.maps: set[str] = {"map:s_axil", "block:reg0", "referred", "reset"} if maps_inferred else set()
        self.said: list[str] = []
        self.statistics = dict(STATISTICS)
        self.refusal = ""
        self.projects: list[str] = []
        self.folder = Path()
        self.properties: dict[str, dict[str, str]] = {}
        self.files: list[Path] = []
        self.component: Component | None = None
        self.kernels: dict[str, dict[str, str]] = {}
        self.cells: dict[str, str] = {}
        self.parameters: dict[str, dict[str, str]] = {}
        self.external: set[str] = set()
        self.interface_nets: list[tuple[str, str]] = []
        self.nets: list[set[str]] = []
        self.addresses: list[tuple[str, str, int, int]] = []
        self.excluded: set[tuple[str, str]] = set()
        self.done: list[str] = []
        for name in dir(self):
            if name.startswith("cmd_"):
                words = name[4:].split("__")
                if len(words) > 1:
                    self.tcl.eval(f"namespace eval {words[0]} {{}}")
                self.tcl.createcommand("::".join(words), self._guard(getattr(self, name)))

    def _guard(self, function: Callable[..., object]) -> Callable[..., object]:
        def call(*words: object) -> object:
            try:
                result = function(*map(str, words))
            except Exception as error:
                # Tcl forgets what a command raised; an assertion here is as good as any refusal.
                self.refusal = f"{function.__name__.removeprefix('cmd_')}: {error!r}"
                raise
            return "" if result is None else tuple(result) if isinstance(result, list) else result

        return call

    def run(self, script: Path) -> None:
        """Source the script; whatever goes wrong in it is raised as an EmulatedError."""
        try:
            self.tcl.eval(f"source {{{script}}}")
        except Exception as error:
            raise EmulatedError(f"{script.name}: {error} {self.refusal}") from error

    def cmd_puts(self, *words: str) -> None:
        self.said.append(words[-1])

    # Projects and files

    def cmd_version(self, flag: str) -> str:
        assert flag == "-short"
        return self.release

    def cmd_create_project(self, *words: str) -> None:
        force, name, folder, option, part = words
        if (force, option) != ("-force", "-part") or not re.fullmatch(r"x[cq]\w+-[\w-]+|xc7z020clg400-1", part):
            raise ValueError(f"create_project: {words}")
        self.projects.append(name)
        self.folder = Path(folder)
        self.files = []
        self.done = []
        self.properties = {"project": {}, "fileset": {}}

    def cmd_close_project(self) -> None:
        self._need_project()
        self.done.append("closed")

    def _need_project(self) -> None:
        if not self.projects:
            raise ValueError("no open project")

    def cmd_current_project(self) -> str:
        return "project"

    def cmd_current_fileset(self) -> str:
        return "fileset"

    def cmd_add_files(self, flag: str, file: str) -> None:
        self._need_project()
        if flag != "-norecurse" or not Path(file).is_file():
            raise FileNotFoundError(file)
        if Path(file) in self.files:
            raise ValueError(f"{file} is added twice")
        self.files.append(Path(file))

    def cmd_get_files(self, name: str) -> str:
        if name == "system.bd" and "saved" in self.done:
            return f"file:{name}"
        return f"file:{name}" if Path(name) in self.files else ""

    def cmd_update_compile_order(self, flag: str, fileset: str) -> None:
        if (flag, fileset) != ("-fileset", "sources_1"):
            raise ValueError(fileset)
        self.done.append("ordered")

    def cmd_get_board_parts(self, flag: str, pattern: str) -> list[str]:
        assert flag == "-quiet"
        return [name for name in self.installed if fnmatch.fnmatch(name, pattern)]

    def cmd_update_ip_catalog(self, flag: str) -> None:
        assert flag == "-rebuild"
        self.done.append("catalogue")

    def cmd_set_property(self, *words: str) -> None:
        if words[0] == "-dict":
            flat = [str(word) for word in self.tcl.splitlist(words[1])]
            pairs, target = list(zip(flat[::2], flat[1::2], strict=True)), words[2]
        else:
            name, value, target = words
            pairs = [(name, value)]
        for name, value in pairs:
            self._set(target, name, value)

    def _set(self, target: str, name: str, value: str) -> None:
        kind, _, which = target.partition(":")
        if target.startswith("/"):
            cell = target[1:]
            ip, short = CATALOGUE[self.cells[cell]], name.removeprefix("CONFIG.")
            if not name.startswith("CONFIG.") or not legal(ip, short, value):
                raise ValueError(f"{self.cells[cell]}: no property {name} that takes '{value}'")
            self.parameters[cell][short] = value
            return
        if name not in _PROPERTIES.get(kind, ()):
            raise ValueError(f"'{target}' has no property {name}")
        if kind == "project" and name == "board_part" and value not in self.installed:
            raise ValueError(f"board_part {value} is not installed")
        component = self.component
        if kind == "core":
            assert component
            if name in ("name", "version"):
                component.vlnv[{"name": 2, "version": 3}[name]] = value
            component.properties[name] = value
        elif kind == "parameter":
            assert component
            component.polarity = value
        elif kind == "block":
            assert component
            component.block[name] = value
        elif kind == "bus":
            if f"map:{value}" not in self.maps:
                raise ValueError(f"no memory map {value}")
            self.maps.add("referred")
        else:
            self.properties.setdefault(kind if not which else target, {})[name] = value

    def cmd_get_property(self, name: str, target: str) -> str:
        kind, _, run = target.partition(":")
        if kind == "run" and name in ("PROGRESS", "STATUS"):
            return {"PROGRESS": "100%", "STATUS": f"{run} Complete!"}[name] if run in self.done else "0%"
        if kind == "run" and name.startswith("STATS.") and "impl_1" in self.done:
            return self.statistics[name.removeprefix("STATS.")]
        raise ValueError(f"{target}: no property {name}")

    # Packaging

    def cmd_ipx__package_project(self, *words: str) -> None:
        options = dict(zip(words[0:-1:2], words[1:-1:2], strict=True))
        if words[-1] != "-force" or set(options) != {"-root_dir", "-vendor", "-library", "-taxonomy"}:
            raise ValueError(f"ipx::package_project: {words}")
        top = self.properties["fileset"]["top"]
        holds = [f for f in self.files if re.search(rf"^\s*module\s+{top}\b", f.read_text(), re.M)]
        if len(holds) != 1 or holds[0].suffix != ".v":
            raise ValueError(f"top {top} is in {[f.name for f in holds]}; a block design takes plain Verilog only")
        if "ordered" not in self.done:
            raise ValueError("the compile order is not known")
        outside = [f for f in self.files if not f.resolve().is_relative_to(Path(options["-root_dir"]).resolve())]
        memories = [f for f in self.files if f.suffix == ".mem"]
        typed = [f for f in memories if self.properties.get(f"file:{f}", {}).get("file_type")]
        if outside or typed != memories:
            raise ValueError(f"files outside the component or without a type: {outside}, {memories}")
        self._check_closure()
        ports = verilog_ports(holds[0])
        interfaces = inferred_interfaces(ports)
        rest = [p for p in ports if p.rpartition("_")[0] not in interfaces]
        if sorted(rest) != ["ap_clk", "ap_rst_n"]:
            raise ValueError(f"ports that belong to no interface: {rest}")
        vlnv = [options["-vendor"], options["-library"], top, "1.0"]
        self.component = Component(vlnv, interfaces, {n: w for n, (_, w) in ports.items()})

    def _check_closure(self) -> None:
        """Every module of ours that is instantiated is in the sources, every memory file that is named too.

        Not what only simulations have, and not the primitives' modules where none of them is among the sources: then
        they stand in branches that no parameter chooses.
        """
        text = "\n".join(_text(f, f.stat().st_mtime_ns) for f in self.files if f.suffix != ".mem")
        defined = set(re.findall(r"^\s*module\s+(\w+)", text, re.M))
        used = set(re.findall(r"^\s*(bvit_\w+)\s+(?:#\s*\(|u_)", text, re.M))
        named = set(re.findall(r'"(\w+\.mem)"', text))
        if not any(name.startswith("bvit_xilinx_") for name in defined):
            used = {name for name in used if not name.startswith("bvit_xilinx_")}
        missing = used - defined | named - {f.name for f in self.files}
        if missing:
            raise ValueError(f"not among the sources: {sorted(missing)}")

    def _component(self) -> Component:
        if self.component is None:
            raise ValueError("no core is open")
        return self.component

    def cmd_ipx__current_core(self) -> str:
        return "core" if self.component else ""

    def cmd_ipx__associate_bus_interfaces(self, *words: str) -> None:
        component, options = self._component(), dict(zip(words[0:-1:2], words[1:-1:2], strict=True))
        for pin in (options.get("-clock"), options.get("-reset")):
            if pin is not None and pin not in component.widths:
                raise ValueError(f"no port {pin}")
        if "-busif" in options:
            if options["-busif"] not in component.interfaces:
                raise ValueError(f"no bus interface {options['-busif']}")
            component.clocks[options["-busif"]] = options["-clock"]
        else:
            component.resets[options["-reset"]] = options["-clock"]

    def cmd_ipx__get_bus_interfaces(self, name: str, *_: str) -> str:
        found = name in self._component().interfaces or (name == "ap_rst_n" and "reset" in self.maps)
        return f"bus:{name}" if found else ""

    def cmd_ipx__infer_bus_interface(self, port: str, kind: str, core: str) -> None:
        if (port, kind) != ("ap_rst_n", "xilinx.com:signal:reset_rtl:1.0") or port not in self._component().widths:
            raise ValueError(f"ipx::infer_bus_interface {port} {kind}")
        self.maps.add("reset")

    def cmd_ipx__get_bus_parameters(self, name: str, flag: str, bus: str) -> str:
        return ""

    def cmd_ipx__add_bus_parameter(self, name: str, bus: str) -> str:
        if (name, bus) != ("POLARITY", "bus:ap_rst_n"):
            raise ValueError(f"{bus}: parameter {name}")
        return "parameter:POLARITY"

    def cmd_ipx__get_memory_maps(self, name: str, *_: str) -> str:
        return f"map:{name}" if f"map:{name}" in self.maps and self.component else ""

    def cmd_ipx__add_memory_map(self, name: str, *_: str) -> str:
        self.maps.add(f"map:{name}")
        return f"map:{name}"

    def cmd_ipx__get_address_blocks(self, flag: str, memory_map: str) -> str:
        return "block:reg0" if memory_map in self.maps and "block:reg0" in self.maps else ""

    def cmd_ipx__add_address_block(self, name: str, memory_map: str) -> str:
        if memory_map not in self.maps:
            raise ValueError(f"no memory map {memory_map}")
        self.maps.add(f"block:{name}")
        return f"block:{name}"

    def cmd_ipx__create_xgui_files(self, core: str) -> None:
        self._component().finished.add("pages")

    def cmd_ipx__update_checksums(self, core: str) -> None:
        self._component().finished.add("checksums")

    def cmd_ipx__check_integrity(self, core: str) -> None:
        self._component().finished.add("checked")

    def cmd_ipx__save_core(self, core: str) -> None:
        self._component().finished.add("saved")

    def cmd_package_xo(self, *words: str) -> None:
        """UG1393: package_xo."""
        flags = [w for w in words if w == "-force"]
        rest = [w for w in words if w != "-force"]
        options = dict(zip(rest[0::2], rest[1::2], strict=True))
        if set(options) != {"-xo_path", "-kernel_name", "-ip_directory", "-kernel_xml", "-ctrl_protocol"} or not flags:
            raise ValueError(f"package_xo: {sorted(options)}")
        component = self._component()
        if options["-kernel_name"] != component.vlnv[2] or component.properties.get("sdx_kernel") != "true":
            raise ValueError(f"{component.name} is no kernel {options['-kernel_name']}")
        if component.properties["vitis_drc"].split() != ["ctrl_protocol", options["-ctrl_protocol"]]:
            raise ValueError(f"control protocol {options['-ctrl_protocol']}")
        if not Path(options["-kernel_xml"]).is_file() or not Path(options["-ip_directory"]).is_dir():
            raise FileNotFoundError(f"{options['-kernel_xml']} or {options['-ip_directory']}")
        Path(options["-xo_path"]).write_bytes(b"xo")
        self.kernels[options["-kernel_name"]] = options

    # Block design: cells

    def cmd_create_bd_design(self, name: str) -> None:
        self._need_project()
        self.done.append("design")

    def cmd_get_ipdefs(self, pattern: str) -> list[str]:
        known = [f"xilinx.com:ip:{n}:{ip.versions[self.release]}" for n, ip in CATALOGUE.items() if ip.versions]
        return [name for name in known if fnmatch.fnmatch(name, pattern)]

    def cmd_create_bd_cell(self, *words: str) -> str:
        kind, _, option, vlnv, name = words
        if (kind, option) != ("-type", "-vlnv") or "design" not in self.done:
            raise ValueError(f"create_bd_cell: {words}")
        if name in self.cells:
            raise ValueError(f"cell {name} exists already")
        if vlnv in self.cmd_get_ipdefs("*"):
            self.cells[name] = vlnv.split(":")[2]
        elif self.component and vlnv == self.component.name and self._in_repository():
            self.cells[name] = vlnv
        else:
            raise ValueError(f"unknown IP {vlnv}")
        self.parameters[name] = {n: default for n, (default, _) in self.ip(name).parameters.items()}
        self.parameters[name]["_DDR"] = str(self.ddr_gib)
        return f"/{name}"

    def _in_repository(self) -> bool:
        folders = self.properties["project"].get("ip_repo_paths", "")
        return Path(folders).name == "ip" and "catalogue" in self.done and "saved" in self._component().finished

    def ip(self, cell: str) -> Ip:
        """The IP that a cell is an instance of."""
        kind = self.cells[cell]
        return CATALOGUE[kind] if kind in CATALOGUE else self._component().ip()

    def pins(self, cell: str) -> dict[str, Pin]:
        """The pins that a cell has as it is configured."""
        return self.ip(cell).pins(self.parameters[cell])

    def interfaces(self, cell: str) -> dict[str, Interface]:
        """The bus interfaces that a cell has as it is configured."""
        return self.ip(cell).interfaces(self.parameters[cell])

    def cmd_apply_bd_automation(self, *words: str) -> None:
        rule_flag, rule, config_flag, config, cell = words
        name = cell.removeprefix("/")
        ip = self.ip(name)
        flat = [str(word) for word in self.tcl.splitlist(config)]
        options = dict(zip(flat[::2], flat[1::2], strict=True))
        if (rule_flag, config_flag) != ("-rule", "-config") or rule != ip.rule or not rule:
            raise ValueError(f"{cell}: no rule {rule}")
        if options["apply_board_preset"] == "1":
            if "board_part" not in self.properties["project"]:
                raise ValueError("no board is set, so it has no preset")
            self.parameters[name].update(ip.preset)
            self.done.append("preset")
        if "make_external" in options:
            self.external |= {f"{name}/{port.strip()}" for port in options["make_external"].split(",")}

    # Block design: connections

    def _found(self, path: str, names: Callable[[str], object]) -> str:
        cell, _, name = path.strip("/").partition("/")
        return f"/{cell}/{name}" if cell in self.cells and name in names(cell) else ""  # type: ignore[operator]

    def cmd_get_bd_intf_pins(self, flag: str, path: str) -> str:
        return self._found(path, self.interfaces)

    def cmd_get_bd_pins(self, flag: str, path: str) -> str:
        return self._found(path, self.pins)

    def cmd_connect_bd_intf_net(self, a: str, b: str) -> None:
        ends = [self._interface(path) for path in (a, b)]
        if ends[0].master == ends[1].master or ends[0].protocol != ends[1].protocol:
            raise ValueError(f"{a} and {b} do not go together")
        for pin in (a, b):
            if any(pin in net for net in self.interface_nets):
                raise ValueError(f"{pin} is connected already")
        self.interface_nets.append((a, b) if ends[0].master else (b, a))

    def _interface(self, path: str) -> Interface:
        cell, name = path.strip("/").split("/", 1)
        return self.interfaces(cell)[name]

    def _pin(self, path: str) -> Pin:
        cell, name = path.strip("/").split("/", 1)
        return self.pins(cell)[name]

    def cmd_connect_bd_net(self, *pins: str) -> None:
        if not pins or "" in pins or len(set(pins)) != len(pins):
            raise ValueError(f"connect_bd_net: {pins}")
        joined = set(pins)
        for net in [net for net in self.nets if net & joined]:
            joined |= net
            self.nets.remove(net)
        if sum(self._pin(pin).out for pin in joined) > 1:
            raise ValueError(f"several drivers: {sorted(joined)}")
        self.nets.append(joined)

    # Block design: addresses

    def spaces(self, cell: str) -> dict[str, tuple[str, list[tuple[int, int]]]]:
        """Address spaces of a cell's masters: master interface and reachable ranges."""
        return self.ip(cell).spaces(self.parameters[cell])

    def segments(self, cell: str) -> dict[str, Segment]:
        """Address segments of a cell's slaves."""
        return {s.name: s for s in self.ip(cell).segments(self.parameters[cell])}

    def cmd_get_bd_addr_spaces(self, flag: str, path: str) -> str:
        return self._found(path, self.spaces)

    def cmd_get_bd_addr_segs(self, flag: str, path: str) -> list[str]:
        cell, _, pattern = path.strip("/").partition("/")
        names = self.segments(cell) if cell in self.cells else {}
        # a star does not reach across a slash
        return [f"/{cell}/{n}" for n in names if n.count("/") == pattern.count("/") and fnmatch.fnmatchcase(n, pattern)]

    def cmd_assign_bd_address(self, *words: str) -> None:
        options = dict(zip(words[0:-1:2], words[1:-1:2], strict=True))
        if set(options) != {"-offset", "-range", "-target_address_space"}:
            raise ValueError(f"assign_bd_address: {words}")
        size = options["-range"]
        scale = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}[size[-1]]
        space, start, length = options["-target_address_space"], int(options["-offset"], 0), int(size[:-1]) * scale
        if any(s == space and seg == words[-1] for s, seg, _, _ in self.addresses):
            raise ValueError(f"{words[-1]} is assigned already in {space}")
        for _, other, start2, length2 in [entry for entry in self.addresses if entry[0] == space]:
            if start < start2 + length2 and start2 < start + length:
                raise ValueError(f"{words[-1]} at {start:#x} overlaps {other} at {start2:#x}")
        self.addresses.append((space, words[-1], start, length))

    def cmd_exclude_bd_addr_seg(self, flag: str, space: str, segment: str) -> None:
        assert flag == "-target_address_space"
        self.excluded.add((space, segment))

    # Implementation

    def cmd_validate_bd_design(self) -> None:
        self.done.append("validated")

    def cmd_save_bd_design(self) -> None:
        self.done.append("saved")

    def cmd_make_wrapper(self, *words: str) -> None:
        self.done = [step for step in self.done if step != "ordered"]  # there is a new source now
        if words != ("-files", "file:system.bd", "-top", "-import"):
            raise ValueError(f"make_wrapper: {words}")
        self.done.append("system_wrapper")

    def cmd_launch_runs(self, run: str, *words: str) -> None:
        if self.properties["fileset"].get("top") not in self.done:
            raise ValueError(f"top {self.properties['fileset'].get('top')} is not in the project")
        options = dict(zip(words[0::2], words[1::2], strict=True))
        needed = {"synth_1": {"-jobs"}, "impl_1": {"-jobs", "-to_step"}}[run]
        if set(options) != needed or not options["-jobs"].isdigit():
            raise ValueError(f"launch_runs {run}: {words}")
        if run == "impl_1":
            if options["-to_step"] != "write_bitstream" or "synth_1" not in self.done:
                raise ValueError(f"launch_runs {run}: {words}, after {self.done}")
            bit = self.folder / "bvit_hw.runs/impl_1/system_wrapper.bit"
            handoff = self.folder / "bvit_hw.gen/sources_1/bd/system/hw_handoff/system.hwh"
            for file, text in ((bit, "bit"), (handoff, "<hwh/>")):
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        self.done.append(f"launched {run}")

    def cmd_wait_on_run(self, run: str) -> None:
        if f"launched {run}" in self.done:
            self.done.append(run)

    def cmd_get_runs(self, run: str) -> str:
        return f"run:{run}" if run in ("synth_1", "impl_1") else ""

    def cmd_open_run(self, run: str) -> None:
        if run not in self.done:
            raise ValueError(f"run {run} has not been run")
        self.done.append("opened")

    def _report(self, *words: str) -> None:
        if "opened" not in self.done or words[0] != "-file":
            raise ValueError(f"report: {words}")
        sample = Path(words[1]).name.replace("utilization", "utilization_zynq")
        Path(words[1]).write_text((Path(__file__).parent / "vendor_reports" / sample).read_text())

    def cmd_report_utilization(self, *words: str) -> None:
        self._report(*words)
        if words[2:] != ("-hierarchical",):
            raise ValueError(f"report_utilization: {words}")

    def cmd_report_timing_summary(self, *words: str) -> None:
        self._report(*words)

    def cmd_report_power(self, *words: str) -> None:
        self._report(*words)

    # What is wrong with the result

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
        if component.block != {"name": "reg0", "range": "4096", "usage": "register"}:
            yield f"core: registers {component.block}"
        if component.finished != {"pages", "checksums", "checked", "saved"} or self.maps != {
            "map:s_axil", "block:reg0", "referred", "reset",
        }:  # fmt: skip
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
