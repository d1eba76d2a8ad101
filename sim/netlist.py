"""Devices for the benches: what Yosys maps an operator to, simulated with models of the FPGA's cells.

Yosys' own models are used where it has some: lookup tables, carries and flip-flops are put in their place by Yosys
itself, small memories and DSP blocks are instances of them. Of block RAMs it knows ports alone; netlist_cells/ has
models of these.
"""

from __future__ import annotations

import gzip
import re
from pathlib import Path

from harness import SIM, Dut, dut_of

from bvit_hw.flows.ecp5 import NETLIST, TOP
from bvit_hw.flows.yosys import TEMPLATES, _package, job_of, run_script
from bvit_hw.ops.base import HwOp, Params
from bvit_hw.targets import Target
from bvit_hw.targets.ecp5 import TARGET as ECP5

MODULE = "bvit_netlist"
#: by target: Yosys' file of models, cells that it puts in, files of ours
_LIBRARIES = {
    "xc7": ("xilinx/cells_sim.v", "LUT1 LUT2 LUT3 LUT4 LUT5 LUT6 CARRY4 FDRE FDSE MUXF7 MUXF8 INV", "xilinx_rams.v"),
    "ecp5": ("ecp5/cells_sim.v", "LUT4 CCU2C PFUMX L6MUX21 TRELLIS_FF INV", "ecp5_cells.v"),
}


def replaced(target: Target) -> str:
    """Yosys' commands that put models in the place of small cells, and leave the others."""
    file, cells, _ = _LIBRARIES[target.name]
    return f"techmap -autoproc -map +/{file} {' '.join(f't:{cell}' for cell in cells.split())}\nopt_expr\nopt_clean\n"


def models(netlist: str, target: Target) -> str:
    """The text of Yosys' models that ``netlist``, Verilog, has instances of, without their timing."""
    file, _, _ = _LIBRARIES[target.name]
    text = _included(_package() / "share" / file)
    found = []
    for name in sorted(set(re.findall(r"^\s+(\w+) #?\(", netlist, re.M))):
        module = re.search(rf"^module {name}\s*\(.*?^endmodule", text, re.M | re.S)
        if module is not None:
            found.append(re.sub(r"^\s*specify.*?endspecify", "", module[0], flags=re.M | re.S))
    return "\n".join(found)


def _included(path: Path) -> str:
    """The text of a file of Yosys' with those that it includes."""
    return re.sub(r'^`include "(.*)"', lambda m: _included(path.parent / m[1]), path.read_text(), flags=re.M)


def cell_models(target: Target) -> Path:
    """Our models of the target's cells."""
    return SIM / "netlist_cells" / _LIBRARIES[target.name][2]


def netlist_dut(op: HwOp, params: Params, folder: Path) -> Dut:
    """What ``op`` is mapped to on its target, with the ports of its own module; ``folder`` is to work in."""
    job = job_of("netlist", op, params)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "bag.sv").write_text(TEMPLATES.get_template("yosys_bag.sv.j2").render(jobs=[job]))
    for file, text in job.memories.items():
        (folder / file).write_text(text)
    script = op.target.script([source.name for source in job.sources], top="bag") + replaced(op.target)
    run_script(folder, f"{script}select job_0*\nwrite_verilog -noattr -selected mapped.v\n", job.sources)
    text = re.sub(r"^module \\?job_0\S*", f"module {MODULE}", (folder / "mapped.v").read_text(), count=1, flags=re.M)
    (folder / f"{MODULE}.v").write_text(text)
    (folder / "yosys_cells.v").write_text(models(text, op.target))
    own = dut_of(op, params)
    return Dut(
        module=MODULE,
        sources=(cell_models(op.target), folder / "yosys_cells.v", folder / f"{MODULE}.v"),
        inputs=own.inputs,
        outputs=own.outputs,
    )


def board_netlist(bitstream: Path, folder: Path) -> tuple[Path, ...]:
    """The Verilog of the whole board as it was placed, for the step's folder ``bitstream``, and models of its cells."""
    folder.mkdir(parents=True, exist_ok=True)
    with gzip.open(bitstream / NETLIST) as packed:
        (folder / "netlist.json").write_bytes(packed.read())
    # The library's cells were written with it: as ports alone they would be in the way.
    script = f"read_json netlist.json\n{replaced(ECP5)}select {TOP}\nwrite_verilog -noattr -selected mapped.v\n"
    run_script(folder, script, ())
    (folder / "netlist.json").unlink()
    text = (folder / "mapped.v").read_text()
    (folder / "yosys_cells.v").write_text(models(text, ECP5))
    return cell_models(ECP5), folder / "yosys_cells.v", folder / "mapped.v"
