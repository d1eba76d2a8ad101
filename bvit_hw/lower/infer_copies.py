"""Passes: Reshape, Transpose and Tile that move values -> PatchGather, ChannelRepeat, Upsample."""

from __future__ import annotations

from bvit_hw.contract import FrozenNode
from bvit_hw.lower.pattern import Pattern
from bvit_hw.lower.rewrite import LoweringPass


class InferPatchGather(LoweringPass):
    """Windows beside each other become one token."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if pattern.op_types != ["Reshape", "Transpose", "Reshape"]:
            return None
        last = pattern.node(pattern.output, "Reshape")
        move = pattern.node(last.input[0], "Transpose")
        cut = pattern.node(move.input[0], "Reshape")
        x, out = pattern.tensor(cut.input[0]), pattern.out()
        kh, kw = x.height // out.height, x.width // out.width
        shape = (1, out.height, kh, out.width, kw * x.channels)
        pattern.expect_shape(cut, shape)
        pattern.expect(pattern.attribute(move, "perm") == (0, 1, 3, 2, 4), "Transpose must have perm (0, 1, 3, 2, 4)")
        pattern.expect(out.channels == kh * kw * x.channels, f"{out.channels} channels from {kh} x {kw} windows")
        return FrozenNode(op="PatchGather", inputs=(x.name,), output=out.name, attrs={"window_h": kh, "window_w": kw})


class InferChannelRepeat(LoweringPass):
    """Whole copies of the channels."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if pattern.op_types != ["Tile"]:
            return None
        tile = pattern.node(pattern.output, "Tile")
        repeats = tuple(int(r) for r in pattern.integers(tile.input[1]))
        pattern.expect(repeats[:3] == (1, 1, 1) and len(repeats) == 4, f"Tile by {repeats}: only channels may repeat")
        x = pattern.tensor(tile.input[0])
        return FrozenNode(op="ChannelRepeat", inputs=(x.name,), output=pattern.output, attrs={"repeat": repeats[3]})


class InferUpsample(LoweringPass):
    """Nearest neighbour."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if pattern.op_types != ["Reshape", "Tile", "Reshape"]:
            return None
        tile = pattern.node(pattern.node(pattern.output, "Reshape").input[0], "Tile")
        cut = pattern.node(tile.input[0], "Reshape")
        x, out = pattern.tensor(cut.input[0]), pattern.out()
        factor = out.height // x.height
        shape = (1, x.height, 1, x.width, 1, x.channels)
        pattern.expect_shape(cut, shape)
        repeats = tuple(int(r) for r in pattern.integers(tile.input[1]))
        pattern.expect(repeats == (1, 1, factor, 1, factor, 1), f"Tile by {repeats} is not nearest neighbour")
        return FrozenNode(op="Upsample", inputs=(x.name,), output=out.name, attrs={"factor": factor})
