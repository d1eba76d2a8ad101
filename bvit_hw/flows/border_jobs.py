"""Yosys jobs for what is around the core, so that it is counted like any operator."""

from __future__ import annotations

from bvit_hw.codegen.accelerator import OUTPUT_BITS
from bvit_hw.flows.yosys import SynthJob
from bvit_hw.graph.border import Border
from bvit_hw.rtl_library import source_paths
from bvit_hw.runtime.registers import ADDRESS_SPACE

_ADDRESS = ADDRESS_SPACE.bit_length() - 1
#: AXI4-Lite signals of the registers and their widths
_AXI_LITE_IN = {
    "awaddr": _ADDRESS, "awprot": 3, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1,
    "araddr": _ADDRESS, "arprot": 3, "arvalid": 1, "rready": 1,
}  # fmt: skip
_AXI_LITE_OUT = {
    "awready": 1, "wready": 1, "bresp": 2, "bvalid": 1, "arready": 1, "rdata": 32, "rresp": 2, "rvalid": 1,
}  # fmt: skip


def border_jobs(border: Border, model_hash: str) -> list[SynthJob]:
    """Frame guard, registers and logits' end of ``border``; ``model_hash`` is what the registers hold."""
    events = ("frame_start", "frame_accepted", "frame_short", "frame_long", "packet_short")
    packet = ("packet_frames", 16)
    ends = ("frame_done", "output_stalled")
    return [
        SynthJob(
            name="border.guard",
            module="bvit_frame_guard",
            sources=tuple(source_paths(["bvit_frame_guard.sv"])),
            parameters={"W": border.input_bits, "BYTES": border.frame_bytes, "DEPTH": border.guard_depth},
            inputs={"s_axis": [border.input_bits]},
            outputs={"m_axis": [border.input_bits]},
            others=(
                ("input", "s_axis_tkeep", border.input_lanes),
                ("input", "s_axis_tlast", 1),
                ("input", *packet),
                *(("output", name, 1) for name in events),
            ),
        ),
        SynthJob(
            name="border.logits",
            module="bvit_logits_out",
            sources=tuple(source_paths(["bvit_fifo.sv", "bvit_logits_out.sv"])),
            parameters={"BITS": border.logit_bits, "CLASSES": border.classes, "W": OUTPUT_BITS},
            inputs={"s_axis": [border.logit_bits]},
            outputs={"m_axis": [OUTPUT_BITS]},
            others=(
                ("output", "m_axis_tkeep", OUTPUT_BITS // 8),
                ("output", "m_axis_tlast", 1),
                ("input", *packet),
                *(("output", name, 1) for name in ends),
            ),
        ),
        SynthJob(
            name="border.registers",
            module="bvit_axi_lite_regs",
            sources=tuple(source_paths(["bvit_registers_pkg.sv", "bvit_axi_lite_regs.sv"])),
            parameters={"CLASSES": border.classes, "HASH": f"256'h{model_hash}"},
            inputs={},
            outputs={},
            others=(
                *(("input", f"s_axi_{name}", width) for name, width in _AXI_LITE_IN.items()),
                *(("output", f"s_axi_{name}", width) for name, width in _AXI_LITE_OUT.items()),
                ("output", "datapath_rst", 1),
                ("output", *packet),
                *(("input", name, 1) for name in (*events, *ends)),
            ),
        ),
    ]
