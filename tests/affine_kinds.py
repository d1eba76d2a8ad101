"""The kinds of ChannelAffine in a network, and parameters for them: for the benches of the RTL and of the template."""

from __future__ import annotations

import numpy as np

from bvit_hw.ops.base import Params
from bvit_hw.ops.channel_affine import ChannelAffine

#: the kinds of ChannelAffine in a network, widths as freezing chooses them
NORM = {"in_bits": (8,), "multiply": (1,), "shift": (0,), "bias_bits": 14, "out_shift": 5}
PRELU = {"prelu": 1, "mid_shift": 2, "slope_bits": 8, "slope_shift": 6, "bias2_bits": 19, "out_shift": 10}
QUERY = {"in_bits": (7, 8), "multiply": (1, 0), "shift": (0, 5), "bias_bits": 14, **PRELU}
POOLED = {"in_bits": (9, 12), "multiply": (1, 1), "shift": (2, 0), "bias_bits": 17, **{**PRELU, "mid_shift": 5}}
CONTEXT = {
    "in_bits": (12, 8, 8, 8), "multiply": (1, 0, 1, 1), "shift": (0, 3, 2, 0), "bias_bits": 16,
    **{**PRELU, "mid_shift": 4},
}  # fmt: skip
LAYER_SCALE = {"in_bits": (8, 8, 10), "multiply": (1, 0, 1), "shift": (0, 7, 3), "bias_bits": 16, "out_shift": 7}
PLAIN = {"in_bits": (8, 9), "multiply": (0, 0), "shift": (3, 0), "bias_bits": 11, "out_shift": 3}
LOGITS = {"in_bits": (24,), "multiply": (0,), "shift": (0,), "bias_bits": 23, "out_shift": 0, "out_bits": 24}
#: a slope narrower than 1.0 needs, a shift wider than some sums, no saturation needed
ODD = {
    "in_bits": (5, 3), "multiply": (0, 1), "shift": (0, 6), "coef_bits": 5, "bias_bits": 4, "prelu": 1,
    "mid_shift": 9, "slope_bits": 3, "slope_shift": 5, "bias2_bits": 2, "out_shift": 1, "out_bits": 14,
}  # fmt: skip


def random_params(op: ChannelAffine, rng: np.random.Generator) -> Params:
    """Uniform over the widths, except that slopes include 0, below 0, 1.0 and above (as the widths permit)."""
    params = op.random_params(rng)
    if op.prelu:
        high = (1 << (op.slope_bits - 1)) - 1
        special = [0, -1, -high - 1, high, min(1 << op.slope_shift, high)]
        params["slope"][: len(special)] = special[: op.channels]
    return params
