"""Stand-ins for v++, xclbinutil and vivado: they check their arguments, and the linked design as a whole.

What is checked against what: ``kernel.xml`` against the ports of the generated Verilog top, the movers' C++ signatures,
and ``link.cfg`` against both. UG1393 and UG1702 (v++ options, link settings), UG1393 (kernel description file).
Called as a program, this module is one of the three tools: see :func:`install`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK_KEYS = {"": {"kernel_frequency"}, "connectivity": {"nk", "stream_connect", "sp", "slr"}, "vivado": {"prop"}}
#: memory resources of the platforms, by what their names contain
_BANKS = {"u50": ("HBM", 32), "u55c": ("HBM", 32), "u280": ("HBM", 32), "u200": ("DDR", 4), "u250": ("DDR", 4)}
#: dies (super logic regions) of the cards, by their data sheets
_DIES = {"u50": 2, "u55c": 3, "u280": 3, "u200": 3, "u250": 4}
#: accelerator and movers; more units than these are kernels of which each has its die
_SINGLE_UNITS = 3


@dataclass(frozen=True)
class Port:
    """A kernel's port: ``kind`` is in (stream to it), out (stream from it), memory or registers; width in bits."""

    kind: str
    width: int


Kernel = Mapping[str, Port]


def kernel_of_xml(text: str) -> tuple[str, str, Kernel, list[str]]:
    """Name, vlnv and ports of a kernel description, and what is wrong with it by itself."""
    faults: list[str] = []
    root = ElementTree.fromstring(text)
    (kernel,) = root.findall("kernel")
    kinds = {
        ("slave", "addressable"): "registers", ("master", "addressable"): "memory",
        ("read_only", "stream"): "in", ("write_only", "stream"): "out",
    }  # fmt: skip
    ports: dict[str, Port] = {}
    for port in kernel.findall("ports/port"):
        a = port.attrib
        if a["name"] in ports:
            faults.append(f"port {a['name']} twice")
        ports[a["name"]] = Port(kinds[a["mode"], a["portType"]], int(a["dataWidth"]))
        if a["portType"] == "addressable" and int(a["range"], 16) != 0x1000:
            faults.append(f"port {a['name']}: range {a['range']}")
    args = [arg.attrib for arg in kernel.findall("args/arg")]
    if [int(arg["id"]) for arg in args] != list(range(len(args))):
        faults.append("ids of the arguments do not count up")
    for arg in args:
        port = ports.get(arg["port"])
        if port is None or port.kind not in ("in", "out") or arg["addressQualifier"] != "4":
            faults.append(f"argument {arg['name']} is no stream of the kernel")
        elif arg["name"] != arg["port"] or arg["type"] != f"stream<ap_axiu<{port.width},0,0,0>>&":
            faults.append(f"argument {arg['name']} of type {arg['type']} is not its port {arg['port']}")
    missing = [n for n, p in ports.items() if p.kind in ("in", "out") and n not in [a["port"] for a in args]]
    faults += [f"stream {name} is no argument" for name in missing]
    # UG1393: what has no registers runs by itself.
    control = "user_managed" if any(port.kind == "registers" for port in ports.values()) else "ap_ctrl_none"
    if kernel.attrib["hwControlProtocol"] != control or kernel.attrib["language"] != "ip":
        faults.append(f"not an IP controlled by {control}")
    return kernel.attrib["name"], kernel.attrib["vlnv"], ports, faults


def xml_faults(text: str, verilog: Path) -> list[str]:
    """What is wrong with the kernel description of the Verilog module in ``verilog``."""
    from bvit_hw.flows.vivado import IP_VERSION, LIBRARY, VENDOR
    from tests.emulators.vivado_component import inferred_interfaces, verilog_ports

    try:
        name, vlnv, ports, faults = kernel_of_xml(text)
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        return [f"kernel.xml: {error!r}"]
    (module,) = re.findall(r"^module (\w+)", verilog.read_text(), re.M)
    if name != module or vlnv != f"{VENDOR}:{LIBRARY}:{module}:{IP_VERSION}":
        faults.append(f"kernel {name} ({vlnv}), module {module}")
    wanted = {}
    for interface, found in inferred_interfaces(verilog_ports(verilog)).items():
        streams = {True: "out", False: "in"}
        kind = "registers" if found.protocol == "axi" else streams[found.master]
        wanted[interface] = Port(kind, found.width)
    if ports != wanted:
        faults.append(f"ports {ports}, the module has {wanted}")
    return faults


def kernel_of_cpp(text: str, input_bits: int) -> tuple[str, Kernel]:
    """Name and ports of an HLS kernel from its signature and interface pragmas; ValueError where they disagree."""
    match = re.search(r'extern "C" void (\w+)\(([^)]*)\)\s*\{(.*)\n\}', text, re.S)
    if match is None:
        raise ValueError("no kernel function")
    name, signature, body = match.groups()
    widths = {"pixels_t": input_bits, "pixel_beat_t": input_bits, "logit_t": 32, "logit_beat_t": 32}
    pairs = re.findall(r"#pragma HLS INTERFACE (\w+) port=(\w+)", body)
    pragmas = {port: kind for kind, port in pairs if kind != "s_axilite"}
    lite = set(re.findall(r"#pragma HLS INTERFACE s_axilite port=(\w+) bundle=control", body))
    ports: dict[str, Port] = {}
    scalars = []
    for parameter in (p.strip() for p in re.sub(r"\s+", " ", signature).split(",")):
        stream = re.fullmatch(r"hls::stream<bvit::(\w+)>& (\w+)", parameter)
        pointer = re.fullmatch(r"(?:const )?bvit::(\w+)\* (\w+)", parameter)
        scalar = re.fullmatch(r"unsigned int (\w+)", parameter)
        if stream:
            written = f"{stream[2]}.write(" in body
            if written == (f"{stream[2]}.read(" in body) or pragmas.pop(stream[2], "") != "axis":
                raise ValueError(f"{name}: stream {stream[2]}")
            ports[stream[2]] = Port("out" if written else "in", widths[stream[1]])
        elif pointer:
            if pragmas.pop(pointer[2], "") != "m_axi" or not re.search(rf"m_axi port={pointer[2]} offset=slave", body):
                raise ValueError(f"{name}: pointer {pointer[2]}")
            ports[pointer[2]] = Port("memory", widths[pointer[1]])
            scalars.append(pointer[2])
        elif scalar:
            scalars.append(scalar[1])
        else:
            raise ValueError(f"{name}: parameter {parameter}")
    if pragmas or lite != {*scalars, "return"}:
        raise ValueError(f"{name}: pragmas for {pragmas}, registers {lite}, wanted {scalars}")
    return name, ports


def link_faults(text: str, kernels: Mapping[str, Kernel], platform: str) -> list[str]:
    """What is wrong with link settings for ``kernels`` on ``platform``: every port is connected, once, and fits."""
    faults: list[str] = []
    section, entries = "", []
    for line in text.splitlines():
        if re.fullmatch(r"\[\w+\]", line.strip()):
            section = line.strip()[1:-1]
        elif line.strip() and not line.startswith("#"):
            key, _, value = line.partition("=")
            if key not in _LINK_KEYS.get(section, ()):
                faults.append(f"[{section}] {key}")
            entries.append((key, value))
    if [re.fullmatch(r"0:\d+", v) is not None for k, v in entries if k == "kernel_frequency"] != [True]:
        faults.append("kernel_frequency")
    units: dict[str, Kernel] = {}
    for value in (v for k, v in entries if k == "nk"):
        kernel, count, unit = [*value.split(":"), "", ""][:3]
        if kernel not in kernels or count != "1" or unit in units or not unit:
            faults.append(f"nk={value}")
        else:
            units[unit] = kernels[kernel]
    if len(units) != len(kernels):
        faults.append(f"compute units {sorted(units)} of kernels {sorted(kernels)}")
    placed = {unit: slr for value in (v for k, v in entries if k == "slr") for unit, _, slr in [value.partition(":")]}
    if len(units) > _SINGLE_UNITS and set(placed) != set(units):
        faults.append(f"on no die: {sorted(set(units) - set(placed))}")
    used: list[str] = []

    def port(path: str) -> Port | None:
        unit, _, name = path.partition(".")
        used.append(path)
        return units.get(unit, {}).get(name)

    for value in (v for k, v in entries if k == "stream_connect"):
        source, _, sink = value.partition(":")
        a, b = port(source), port(sink)
        if a is None or b is None or (a.kind, b.kind) != ("out", "in") or a.width != b.width:
            faults.append(f"stream_connect={value}: {a} to {b}")
        ends = [path.partition(".")[0] for path in (source, sink)]
        dies = [placed[unit].removeprefix("SLR") for unit in ends if unit in placed]
        if len(dies) == 2 and all(map(str.isdigit, dies)) and abs(int(dies[0]) - int(dies[1])) > 1:
            faults.append(f"stream_connect={value}: from die to die past another one")
    card = next(name for name in _BANKS if f"xilinx_{name}_" in platform)
    memory, count = _BANKS[card]
    for value in (v for k, v in entries if k == "sp"):
        path, _, bank = value.partition(":")
        found, match = port(path), re.fullmatch(rf"{memory}\[(\d+)\]", bank)
        if found is None or found.kind != "memory" or match is None or int(match[1]) >= count:
            faults.append(f"sp={value}")
    for value in (v for k, v in entries if k == "slr"):
        unit, _, slr = value.partition(":")
        if unit not in units or not re.fullmatch(f"SLR[0-{_DIES[card] - 1}]", slr):
            faults.append(f"slr={value}")
    ports = [f"{unit}.{name}" for unit, kernel in units.items() for name, p in kernel.items() if p.kind != "registers"]
    faults += [f"{path}: connected {used.count(path)} times" for path in ports if used.count(path) != 1]
    return faults


# The tools


def install(folder: Path, names: Sequence[str] = ("vivado", "v++", "xclbinutil")) -> Path:
    """Programs of those names in ``folder``, each a call of this module; returns the folder, for the PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        program = folder / name
        program.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
            f"from tests.emulators.vitis_emulation import main\nmain({name!r}, sys.argv[1:])\n"
        )
        program.chmod(0o755)
    return folder


def _platforms() -> set[str]:
    from bvit_hw.boards import board_names, load_board

    boards = [load_board(name) for name in board_names()]
    return {name for board in boards if board.vitis for name in board.vitis.platforms.values()}


def _check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"ERROR: {what}")


def _compile(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("v++ -c", allow_abbrev=False)
    for option in ("-t", "--platform", "-k", "--hls.clock", "-D", "-I", "--temp_dir", "-o"):
        parser.add_argument(option, required=True)
    parser.add_argument("source")
    given = vars(parser.parse_args(arguments))
    source = Path(given["source"])
    define = re.fullmatch(r"BVIT_INPUT_BITS=(\d+)", given["D"])
    _check(define is not None and source.is_file() and Path(given["I"]).is_dir(), f"v++ -c: {given}")
    assert define
    name, ports = kernel_of_cpp(source.read_text(), int(define[1]))
    header = (Path(given["I"]) / "bvit_movers.hpp").read_text()
    _check("ap_axiu<kInputBits, 0, 0, 0>" in header and "kLogitBits = 32" in header, "bvit_movers.hpp")
    clock, _, kernel = given["hls.clock"].partition(":")
    _check(name == given["k"] == kernel and int(clock) % 1_000_000 == 0, f"kernel {given['k']} in {source}, {clock}")
    _check(given["t"] == "hw" and given["platform"] in _platforms(), f"platform {given['platform']}")
    Path(given["o"]).write_text(json.dumps({"name": name, "ports": {n: [p.kind, p.width] for n, p in ports.items()}}))


def _link(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser("v++ -l", allow_abbrev=False)
    for option in ("-t", "--platform", "--config", "--temp_dir", "--report_dir", "--jobs", "-o"):
        parser.add_argument(option, required=True)
    parser.add_argument("objects", nargs="+")
    given = vars(parser.parse_args(arguments))
    kernels: dict[str, Kernel] = {}
    for file in given["objects"]:
        found = json.loads(Path(file).read_text())
        kernels[found["name"]] = {n: Port(kind, width) for n, (kind, width) in found["ports"].items()}
    text = Path(given["config"]).read_text()
    _check(given["t"] == "hw" and given["platform"] in _platforms(), f"platform {given['platform']}")
    faults = link_faults(text, kernels, given["platform"])
    _check(not faults, f"v++ -l: {faults}")
    (asked,) = re.findall(r"^kernel_frequency=0:(\d+)$", text, re.M)
    achieved = os.environ.get("EMULATED_CLOCK_MHZ", asked)
    Path(given["o"]).write_text(json.dumps({"clock": achieved, "kernels": sorted(kernels)}))
    reports = Path(given["report_dir"]) / "link/imp"
    reports.mkdir(parents=True, exist_ok=True)
    sample = Path(__file__).parent / "vendor_reports/kernel_util.rpt"
    (reports / "impl_1_kernel_util_routed.rpt").write_text(sample.read_text())


def main(tool: str, arguments: list[str]) -> None:
    """Be one of the tools; anything wrong ends with an exit code other than 0."""
    if tool == "v++" and arguments == ["--version"]:
        release = os.environ.get("EMULATED_RELEASE", "2022.2")
        print(f"\n****** v++ v{release} (64-bit)\n  **** SW Build 3671529 on 2022-10-13-17:52:11\n")
    elif tool == "v++" and arguments[0] == "-c":
        _compile(arguments[1:])
    elif tool == "v++" and arguments[0] == "-l":
        _link(arguments[1:])
    elif tool == "xclbinutil":
        _check(arguments[:2] == ["--info", "--input"] and len(arguments) == 3, f"xclbinutil {arguments}")
        clock = json.loads(Path(arguments[2]).read_text())["clock"]
        sample = (Path(__file__).parent / "vendor_reports/xclbin_info.txt").read_text()
        print(sample.replace("250 MHz", f"{clock} MHz"))
    elif tool == "vivado" and arguments == ["-mode", "batch", "-source", "build_zynq.tcl"]:
        from tests.emulators.vivado_emulation import VivadoEmulation

        emulation = VivadoEmulation(ddr_gib=int(os.environ.get("EMULATED_DDR_GIB", "1")))
        emulation.run(Path("build_zynq.tcl").resolve())
        _check(not emulation.faults(), f"vivado: {emulation.faults()}")
    elif tool == "vivado":
        _check(arguments[:4] == ["-mode", "batch", "-nojournal", "-log"] and arguments[5] == "-source", str(arguments))
        from tests.emulators.vivado_emulation import VivadoEmulation

        emulation = VivadoEmulation(maps_inferred=False)
        emulation.run(Path(arguments[6]).resolve())
        faults = emulation.component_faults()
        _check(not faults and len(emulation.kernels) == 1, f"vivado: {faults}")
        ((name, options),) = emulation.kernels.items()
        _, _, ports, _ = kernel_of_xml(Path(options["-kernel_xml"]).read_text())
        text = json.dumps({"name": name, "ports": {n: [p.kind, p.width] for n, p in ports.items()}})
        Path(options["-xo_path"]).write_text(text)
    else:
        sys.exit(f"ERROR: {tool} {arguments}")
