"""The accelerator's border: frame guard, output side, registers (checks: shell_*_cocotb.py)."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from harness import SIM, cocotb_model, find_sources, mutant, simulate

from bvit_hw.errors import ConfigError, ToolError
from bvit_hw.flows.border_jobs import border_jobs
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.verilator import lint
from bvit_hw.flows.yosys import synthesize
from bvit_hw.graph.border import Border
from bvit_hw.ops.base import Resources
from bvit_hw.ops.shell import (
    SHELL_SOURCES,
    guard_depths,
    guard_resources,
    logits_out_resources,
    registers_resources,
)
from bvit_hw.rtl_library import source_paths
from bvit_hw.targets import XC7

SOURCES = (*SHELL_SOURCES, "bvit_axis_check.sv")


MODULES = tuple(f"shell_{name}cocotb" for name in ("", "packets_", "resets_", "limits_", "measure_", "counters_"))


def run_shell(
    override: Path | None = None,
    *,
    seed: int = 1,
    depth: int = 24,
    frame_bytes: int = 96,
    modules: Sequence[str] = MODULES,
) -> None:
    bench = [SIM / name for name in ("shell_counters.vlt", "device_stand_in.sv", "shell_top.sv")]
    sources = [*find_sources(SOURCES, override), *bench]
    model = cocotb_model(sources, "shell_top", {"DEPTH": depth, "BYTES": frame_bytes}, cycles=0)
    folder = Path(tempfile.mkdtemp(prefix="bvit-sim-shell-"))
    simulate(
        model, top="shell_top", module=",".join(modules), folder=folder, seed=seed, env={"BVIT_SHELL_DEPTH": str(depth)}
    )
    shutil.rmtree(folder)


# 24 beats are two frames; with 31 the ring is a power of two. What the registers measure does not depend on it.
@pytest.mark.parametrize(("depth", "seed", "modules"), [(24, 1, MODULES), (31, 2, MODULES[:4])])
def test_shell(depth: int, seed: int, modules: Sequence[str]) -> None:
    run_shell(seed=seed, depth=depth, modules=modules)


ONE_BEAT: dict[str, Any] = {"depth": 5, "frame_bytes": 8, "modules": ("shell_beat_cocotb",)}


def test_frames_of_one_beat() -> None:
    run_shell(**ONE_BEAT)


def test_lint() -> None:
    for module, parameters in (
        ("bvit_frame_guard", {"BYTES": 96}),
        ("bvit_frame_guard", {"BYTES": 150528, "DEPTH": 18820}),
        ("bvit_frame_guard", {"W": 8, "BYTES": 64, "CHECK_KEEP": 0}),
        ("bvit_logits_out", {"CLASSES": 1}),
        ("bvit_logits_out", {"BITS": 32, "CLASSES": 1000}),
        ("bvit_axi_lite_regs", {}),
        ("bvit_axi_lite_regs", {"ADDR_W": 7}),
    ):
        lint(source_paths(["bvit_fifo.sv", "bvit_registers_pkg.sv", f"{module}.sv"]), module, parameters)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"BYTES": 100}, "BYTES must be a multiple"),
        ({"W": 12}, "whole bytes"),
        ({"BYTES": 96, "DEPTH": 12}, "at least a frame's beats"),
    ],
)
def test_illegal_parameters_stop_elaboration(parameters: dict[str, int], words: str) -> None:
    with pytest.raises(ToolError, match=words):
        lint(source_paths(["bvit_frame_guard.sv"]), "bvit_frame_guard", parameters)


def count(top: str, parameters: dict[str, int], folder: Path) -> Resources:
    """What Yosys makes of a module of the border."""
    sources = " ".join(str(path) for path in source_paths(SHELL_SOURCES))
    generics = " ".join(f"-G {name}={value}" for name, value in parameters.items())
    (folder / "count.ys").write_text(
        f"read_slang --top {top} {generics} {sources}\n"
        f"synth_xilinx -family xc7 -top {top} -flatten -noiopad -noclkbuf -run begin:check\n"
        "tee -q -o stat.json stat -json\n"
    )
    program = "from pyosys import libyosys as ys; ys.run_pass('script count.ys', ys.Design())"
    run_tool("yosys", [sys.executable, "-c", program], cwd=folder, log=folder / "yosys.log")
    text = (folder / "stat.json").read_text()
    (module,) = json.loads(text[text.index("{") :])["modules"].values()
    return XC7.cells.count(module["num_cells_by_type"])


@pytest.mark.parametrize(
    ("top", "parameters", "predicted"),
    [
        ("bvit_frame_guard", {"BYTES": 3072}, guard_resources(3072, 768)),
        ("bvit_frame_guard", {"BYTES": 64, "DEPTH": 16}, guard_resources(64, 16)),
        ("bvit_frame_guard", {"BYTES": 150528, "DEPTH": 18820}, guard_resources(150528, 18820)),
        ("bvit_logits_out", {"BITS": 24, "CLASSES": 10}, logits_out_resources(24, 10)),
        ("bvit_axi_lite_regs", {}, registers_resources()),
    ],
)
def test_cost_models(top: str, parameters: dict[str, int], predicted: Resources, tmp_path: Path) -> None:
    counted = count(top, parameters, tmp_path)
    assert predicted.lut == pytest.approx(counted.lut, rel=0.1, abs=8)
    assert predicted.ff == pytest.approx(counted.ff, rel=0.1, abs=5)
    assert predicted.bram18 == pytest.approx(counted.bram18, rel=0.05)


def test_the_build_counts_what_the_model_predicts(tmp_path: Path) -> None:
    """The three jobs of the step synthesize, each with the sources that it names."""
    border = Border(input_lanes=8, frame_bytes=3072, guard_depth=768, classes=10, logit_bits=24, target=XC7)
    jobs = border_jobs(border, "ab" * 32)
    counted = sum(synthesize(jobs, target=XC7, work=tmp_path / "w", cache=tmp_path / "c").values(), Resources())
    assert border.resources.lut == pytest.approx(counted.lut, rel=0.1)
    assert border.resources.ff == pytest.approx(counted.ff, rel=0.1)
    assert border.resources.bram18 == counted.bram18


def test_guard_depths() -> None:
    assert guard_depths(3072) == (388, 768)
    assert guard_depths(8) == (5, 5)
    with pytest.raises(ConfigError, match="100 bytes are not whole beats of 64 bits"):
        guard_depths(100)
    with pytest.raises(ConfigError, match="388 or more"):
        guard_resources(3072, 387)


GUARD_READY = "used_q < UsedW'(DEPTH - 1) || (used_q == UsedW'(DEPTH - 1) && !take)"
MUTATIONS = [
    ("bvit_frame_guard.sv", "if (rollback) write_q <= commit_q;\n      else if", "if"),
    ("bvit_frame_guard.sv", "- (back_q ? UsedW'(before_q) : '0)", ""),
    ("bvit_frame_guard.sv", "before_q <= beat_q;", "before_q <= BeatW'(Beats - 1);"),
    ("bvit_frame_guard.sv", "UsedW'(DEPTH - 1) && !take", "UsedW'(DEPTH - 1)"),
    ("bvit_frame_guard.sv", "used_q < UsedW'(DEPTH - 1)", "used_q < UsedW'(DEPTH + 1)"),
    ("bvit_frame_guard.sv", "if (too_long) drop_q <= 1'b1;", "if (too_long) drop_q <= 1'b0;"),
    ("bvit_frame_guard.sv", "beat_q == BeatW'(Beats - 2)", "beat_q == BeatW'(Beats - 1)"),
    ("bvit_frame_guard.sv", "read_q != commit_q", "read_q != write_q"),
    ("bvit_frame_guard.sv", "&& !(&s_axis_tkeep)", "&& 1'b0"),
    ("bvit_frame_guard.sv", "write_q == AddrW'(Size - 1)", "write_q == AddrW'(Size - 2)"),
    ("bvit_frame_guard.sv", "counts && spoilt;", "counts && spoilt && ends;"),
    ("bvit_frame_guard.sv", "      beat_q <= '0;\n      frame_q", "      frame_q"),
    ("bvit_frame_guard.sv", "few && !left[1]", "few && left[1:0] != 2'd3"),
    ("bvit_frame_guard.sv", "if (take && s_axis_tlast) frame_q <= '0;\n      else if", "if"),
    ("bvit_frame_guard.sv", "s_axis_tlast || (full_q && !final_q)", "s_axis_tlast"),
    ("bvit_frame_guard.sv", "&& s_axis_tlast && !final_q", "&& s_axis_tlast && 1'b0"),
    ("bvit_frame_guard.sv", "full_q && !hole", "full_q && !(hole && final_q)"),
    ("bvit_frame_guard.sv", "      frame_q <= '0;\n      ready_q", "      ready_q"),
    ("bvit_logits_out.sv", "frame_q <= last_frame ? '0", "frame_q <= last_frame ? frame_q"),
    ("bvit_logits_out.sv", "{last_class && last_frame, last_class,", "{last_class, last_class,"),
    ("bvit_axi_lite_regs.sv", "if (s_axi_wstrb[1]) packet_frames", "if (s_axi_wstrb[0]) packet_frames"),
    ("bvit_axi_lite_regs.sv", "|| reset_left_q == ResetW'(RESET_CYCLES)) packet_frames", ") packet_frames"),
    ("bvit_axi_lite_regs.sv", "reset_left_q == ResetW'(RESET_CYCLES)) packet", "(control && s_axi_wdata[0])) packet"),
    ("bvit_axi_lite_regs.sv", "|| (clear_q && soft_rst)", ""),
    ("bvit_axi_lite_regs.sv", "clear_q <= 1'b1;", "clear_q <= 1'b0;"),
    ("bvit_registers_pkg.sv", "FRAMES_DROPPED = 'h44", "FRAMES_DROPPED = 'h5C"),
    ("bvit_registers_pkg.sv", "FRAME_LONG_BIT = 1", "FRAME_LONG_BIT = 3"),
    ("bvit_frame_guard.sv", "      hole_q <= 1'b0;\n", ""),
    ("bvit_frame_guard.sv", "      drop_q <= 1'b0;\n", ""),
    ("bvit_axi_lite_regs.sv", "PACKET_SHORT_BIT] = packet_short", "PACKET_SHORT_BIT] = 1'b0"),
    ("bvit_logits_out.sv", "class_q == ClassW'(CLASSES - 1)", "class_q == ClassW'(CLASSES - 2)"),
    ("bvit_logits_out.sv", "signed'(logit)", "logit"),
    ("bvit_logits_out.sv", "    if (rst) begin\n      class_q <= '0;\n      frame_q <= '0;\n    end else if", "    if"),
    ("bvit_logits_out.sv", "stall_q == StallW'(STALL_CYCLES)", "stall_q == StallW'(STALL_CYCLES / 2)"),
    ("bvit_axi_lite_regs.sv", "flags_q | events", "events"),
    ("bvit_axi_lite_regs.sv", "if (clear_q) begin\n      flags_q", "if (rst) begin\n      flags_q"),
    ("bvit_axi_lite_regs.sv", "HASH[191:160]", "HASH[159:128]"),
    ("bvit_axi_lite_regs.sv", "!committed_q) ahead_q <= inside_q - 16'(frame_done)", "!committed_q) ahead_q <= '0"),
    ("bvit_axi_lite_regs.sv", "else if (s_axi_rready) s_axi_rvalid", "else s_axi_rvalid"),
    ("bvit_axi_lite_regs.sv", "else if (soft_rst) reset_left_q", "else reset_left_q"),
    ("bvit_axi_lite_regs.sv", "s_axi_awvalid && s_axi_wvalid && !write_q", "s_axi_awvalid && !write_q"),
    ("bvit_axi_lite_regs.sv", "frame_done && done_before_q", "frame_done"),
    # Without its reset a counter of the buffer may never meet the one that it is compared with.
    ("bvit_frame_guard.sv", "      write_q <= '0;\n", ""),
    ("bvit_frame_guard.sv", "      commit_q <= '0;\n", ""),
    ("bvit_frame_guard.sv", "      used_q <= '0;\n", ""),
    ("bvit_frame_guard.sv", "      read_q <= '0;\n", ""),
    # Full one beat early.
    ("bvit_frame_guard.sv", GUARD_READY, "used_q < UsedW'(DEPTH - 2)"),
    # What is not valid counts.
    ("bvit_frame_guard.sv", "if (take && s_axis_tlast) frame_q", "if (s_axis_tlast) frame_q"),
    ("bvit_frame_guard.sv", "else if (take && s_axis_tlast) drop_q", "else if (s_axis_tlast) drop_q"),
    ("bvit_frame_guard.sv", "packet_short <= counts", "packet_short <= !drop_q"),
    # Measurements after a bad frame, after a reset, with frames ahead.
    ("bvit_axi_lite_regs.sv", "!(frame_short || frame_long)", "!frame_short"),
    ("bvit_axi_lite_regs.sv", "!(frame_short || frame_long)", "!frame_long"),
    ("bvit_axi_lite_regs.sv", "restart = clear_q || datapath_rst", "restart = clear_q"),
    ("bvit_axi_lite_regs.sv", "restart = clear_q || datapath_rst", "restart = datapath_rst"),
    ("bvit_axi_lite_regs.sv", "if (datapath_rst) inside_q <= '0;\n    else inside_q", "inside_q"),
    ("bvit_axi_lite_regs.sv", "ahead_q <= inside_q - 16'(frame_done)", "ahead_q <= inside_q"),
    ("bvit_axi_lite_regs.sv", "committed_q && ahead_q == '0) latency_q", "committed_q) latency_q"),
    # Strobes.
    ("bvit_axi_lite_regs.sv", "write_q && s_axi_wstrb[0] &&", "write_q &&"),
    ("bvit_axi_lite_regs.sv", "if (s_axi_wstrb[0]) packet_frames", "packet_frames"),
    ("bvit_axi_lite_regs.sv", "if (s_axi_wstrb[1]) packet_frames", "packet_frames"),
    # An answer that is not waited for.
    (
        "bvit_axi_lite_regs.sv", "cycle_high_q <= cycle_q[63:32]",
        "cycle_high_q <= s_axi_rready ? cycle_q[63:32] : cycle_high_q",
    ),
    # Beats that wait one after the other, none of them long.
    ("bvit_logits_out.sv", "if (!m_axis_tvalid || m_axis_tready) stall_q", "if (!m_axis_tvalid) stall_q"),
    ("bvit_logits_out.sv", "stall_q == StallW'(STALL_CYCLES)", "stall_q == StallW'(STALL_CYCLES - 1)"),
    # A bit less.
    ("bvit_axi_lite_regs.sv", "in_q + 32'(frame_accepted)", "32'(31'(in_q + 32'(frame_accepted)))"),
    ("bvit_axi_lite_regs.sv", "out_q + 32'(frame_done)", "32'(31'(out_q + 32'(frame_done)))"),
    ("bvit_axi_lite_regs.sv", "cycle_q + 64'd1", "{cycle_q[63:32], cycle_q[31:0] + 32'd1}"),
    ("bvit_axi_lite_regs.sv", "cycle_high_q <= cycle_q[63:32]", "cycle_high_q <= {1'b0, cycle_q[62:32]}"),
    ("bvit_axi_lite_regs.sv", "start_q <= cycle_q[31:0]", "start_q <= {1'b0, cycle_q[30:0]}"),
    ("bvit_axi_lite_regs.sv", "done_at_q <= cycle_q[31:0]", "done_at_q <= {1'b0, cycle_q[30:0]}"),
    ("bvit_axi_lite_regs.sv", "interval_q <= cycle_q[31:0] - done_at_q", "interval_q <= 32'(31'(cycle_q - done_at_q))"),
    ("bvit_axi_lite_regs.sv", "latency_q <= cycle_q[31:0] - start_q", "latency_q <= 32'(31'(cycle_q[31:0] - start_q))"),
    ("bvit_frame_guard.sv", "frame_q <= frame_q + 1'b1", "frame_q <= {1'b0, frame_q[14:0] + 15'd1}"),
    ("bvit_logits_out.sv", "frame_q + 1'b1;", "{1'b0, frame_q[14:0] + 15'd1};"),
]

#: seen with frames of a single beat only
ONE_BEAT_MUTATIONS = [
    ("bvit_axi_lite_regs.sv", "frame_start && !frame_short && !frame_long;", "frame_start && !frame_short;"),
    ("bvit_axi_lite_regs.sv", "frame_start && !frame_short && !frame_long;", "frame_start && !frame_long;"),
    ("bvit_axi_lite_regs.sv", "committed_q <= frame_start && frame_accepted", "committed_q <= 1'b0"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "old", "new", "options"),
    [*((*row, {}) for row in MUTATIONS), *((*row, ONE_BEAT) for row in ONE_BEAT_MUTATIONS)],
)
def test_mutations_are_caught(
    name: str, old: str, new: str, options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # failed runs keep their folders
    with pytest.raises(AssertionError, match="simulation failed"):
        run_shell(mutant(tmp_path, name, old, new), **options)
