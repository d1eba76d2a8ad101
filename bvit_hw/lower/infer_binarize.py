"""Pass: subtract a threshold by channel, take the sign -> Binarize."""

from __future__ import annotations

from bvit_hw.contract import FrozenNode
from bvit_hw.lower.pattern import Pattern
from bvit_hw.lower.rewrite import LoweringPass


class InferBinarize(LoweringPass):
    """Sub of a constant, then BipolarQuant of scale 1."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if not pattern.op_types or pattern.op_types[-1] != "BipolarQuant":
            return None
        node = pattern.node(pattern.output, "BipolarQuant")
        pattern.expect(float(pattern.constant(node.input[1])) == 1.0, "BipolarQuant must have scale 1")
        x, threshold = pattern.node(node.input[0], "Sub").input
        values = pattern.integers(threshold).reshape(-1)
        out = pattern.out()
        pattern.expect(values.size == out.channels, f"{values.size} thresholds for {out.channels} channels")
        return FrozenNode(
            op="Binarize", inputs=(pattern.tensor(x).name,), output=out.name, params={"threshold": values}
        )
