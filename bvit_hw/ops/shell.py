"""What the accelerator's border costs: frame guard, logits out, registers. It is no graph node, so no HwOp."""

from __future__ import annotations

from math import ceil

from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import Resources, clog2
from bvit_hw.ops.block_ram import bram18s

#: beats beyond one frame that bvit_frame_guard wants at least
GUARD_SPARE_BEATS = 4
#: modules of the border, in compile order
SHELL_SOURCES = ("bvit_fifo.sv", "bvit_frame_guard.sv", "bvit_logits_out.sv", "bvit_axi_lite_regs.sv")


def guard_depths(frame_bytes: int, width: int = 64) -> tuple[int, int]:
    """Least and default depth of the frame guard's buffer in beats of ``width`` bits.

    The least one holds a frame; the default two, so that a source in bursts never waits. Raises ConfigError when a
    frame is not whole beats.
    """
    if width % 8 or width < 8 or frame_bytes % (width // 8) or frame_bytes < 1:
        raise ConfigError(f"frame guard: {frame_bytes} bytes are not whole beats of {width} bits")
    beats = frame_bytes // (width // 8)
    return beats + GUARD_SPARE_BEATS, max(2 * beats, beats + GUARD_SPARE_BEATS)


def guard_resources(frame_bytes: int, depth: int, width: int = 64) -> Resources:
    """Of bvit_frame_guard, fitted to Yosys; a buffer deeper than 1024 words is put together by multiplexers."""
    least, _ = guard_depths(frame_bytes, width)
    if depth < least:
        raise ConfigError(f"frame guard: depth={depth}; allowed: {least} or more beats of {width} bits")
    address, blocks = clog2(depth + 1), ceil((depth + 1) / 1024)
    return Resources(
        lut=8.6 * address + 24 + (0.53 * width * blocks if blocks > 8 else 0),
        ff=width + 4.5 * address + clog2(frame_bytes * 8 // width) + 24,
        bram18=bram18s(width, depth + 1),
    )


def logits_out_resources(bits: int, classes: int) -> Resources:
    """Of bvit_logits_out, fitted to Yosys."""
    return Resources(lut=bits + 43 + clog2(classes + 1), ff=2 * bits + 43 + clog2(classes + 1))


def registers_resources() -> Resources:
    """Of bvit_axi_lite_regs, as Yosys counts it: mostly the 64-bit cycle counter and the frame counters."""
    return Resources(lut=284, ff=417)
