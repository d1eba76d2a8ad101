"""What the accelerator's border costs: frame guard, logits out, registers. It is no graph node, so no HwOp."""

from __future__ import annotations

from math import ceil

from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import CostTerms, Resources, clog2
from bvit_hw.targets import XC7, Target

#: beats beyond one frame that bvit_frame_guard wants at least
GUARD_SPARE_BEATS = 4
#: files of rtl/ that the border needs, in compile order
SHELL_SOURCES = (
    "bvit_fifo.sv",
    "bvit_frame_guard.sv",
    "bvit_registers_pkg.sv",
    "bvit_axi_lite_regs.sv",
    "bvit_logits_out.sv",
)
#: and those that it needs in addition where it is cut into kernels
CHAIN_SOURCES = ("bvit_entry_register.sv", "bvit_reset_chain.sv")


def guard_depths(frame_bytes: int, width: int = 64) -> tuple[int, int]:
    """Least and default depth of the frame guard's buffer in beats of ``width`` bits.

    The least one holds a frame; the default two, so that a source in bursts never waits. Raises ConfigError when a
    frame is not whole beats.
    """
    if width % 8 or width < 8 or frame_bytes % (width // 8) or frame_bytes < 1:
        raise ConfigError(f"frame guard: {frame_bytes} bytes are not whole beats of {width} bits")
    beats = frame_bytes // (width // 8)
    return beats + GUARD_SPARE_BEATS, max(2 * beats, beats + GUARD_SPARE_BEATS)


def guard_resources(frame_bytes: int, depth: int, width: int = 64, target: Target = XC7) -> Resources:
    """Of bvit_frame_guard, fitted to Yosys; a buffer deeper than 1024 words is put together by multiplexers."""
    least, _ = guard_depths(frame_bytes, width)
    if depth < least:
        raise ConfigError(f"frame guard: depth={depth}; allowed: {least} or more beats of {width} bits")
    address, blocks = clog2(depth + 1), ceil((depth + 1) / 1024)
    terms = CostTerms(
        circuit="FrameGuard",
        lut={"address": address, "one": 1, "select": width * blocks if blocks > 8 else 0},
        ff={"bit": width, "address": address, "counter": clog2(frame_bytes * 8 // width), "one": 1},
        exact=Resources(bram18=target.memories.halves(width, depth + 1)),
    )
    return target.weigh(terms)


def logits_out_resources(bits: int, classes: int, target: Target = XC7) -> Resources:
    """Of bvit_logits_out, fitted to Yosys."""
    terms = {"bit": bits, "one": 1, "counter": clog2(classes + 1)}
    return target.weigh(CostTerms(circuit="LogitsOut", lut=terms, ff=terms))


def registers_resources(target: Target = XC7) -> Resources:
    """Of bvit_axi_lite_regs, as Yosys counts it."""
    return target.weigh(CostTerms(circuit="Registers", lut={"one": 1}, ff={"one": 1}))
