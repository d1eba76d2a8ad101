"""The packager of the emulated Vivado: a project's sources become a component or a kernel."""

from __future__ import annotations

import re
from pathlib import Path

from tests.emulators.vivado_component import (
    Component,
    inferred_interfaces,
    interrupt_ports,
    source_text,
    verilog_ports,
)
from tests.emulators.vivado_session import VivadoSession


class VivadoPackaging(VivadoSession):
    """The commands ``ipx::*`` and ``package_xo``."""

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
        interrupts = interrupt_ports(holds[0])
        if sorted(set(rest) - set(interrupts)) != ["ap_clk", "ap_rst_n"]:
            raise ValueError(f"ports that belong to no interface: {rest}")
        vlnv = [options["-vendor"], options["-library"], top, "1.0"]
        widths = {n: w for n, (_, w) in ports.items()}
        self.component = Component(vlnv, interfaces, widths, interrupts=interrupts)

    def _check_closure(self) -> None:
        """Every module of ours that is instantiated is in the sources, every memory file that is named too.

        Not what only simulations have, and not the primitives' modules where none of them is among the sources: then
        they stand in branches that no parameter chooses.
        """
        text = "\n".join(source_text(f, f.stat().st_mtime_ns) for f in self.files if f.suffix != ".mem")
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
