"""MultiPool: four depthwise Convs with ones, scaled and added, rounded."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import (
    TO_NCHW,
    TO_NHWC,
    QonnxOperator,
    datatype_of,
    floats,
    integer_type,
    read_rounded,
    shape_of,
    write_rounded,
)
from bvit_hw.qonnx.operators.windows import read_window, transposed, write_window_sum
from bvit_hw.qonnx.pattern import Pattern


class MultiPool(QonnxOperator):
    """Zero-padded window sums by branch."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        (x,) = inputs
        planes = (1, x.channels, x.height, x.width)
        source = e.node("Transpose", [x.name], f"{out.name}/nchw", planes, datatype_of(x), perm=TO_NCHW)
        total = ""
        for (branch, (rows, cols)), coef in zip(WINDOWS.items(), node.params["coef"], strict=True):
            pads = (rows // 2, cols // 2, rows // 2, cols // 2)
            y = write_window_sum(e, source, f"{out.name}/{branch}", planes, (rows, cols), (1, 1), pads)
            constant = e.constant(
                f"{out.name}/coef_{branch}", floats(coef).reshape(-1, 1, 1), f"INT{node.attrs['coef_bits']}"
            )
            y = e.node("Mul", [y, constant], f"{out.name}/term_{branch}", planes)
            total = e.node("Add", [total, y], f"{out.name}/sum_{branch}", planes) if total else y
        y = e.node("Transpose", [total], f"{out.name}/nhwc", shape_of(out), perm=TO_NHWC)
        bias = node.params["bias"]
        constant = e.constant(f"{out.name}/bias", floats(bias), integer_type(bias))
        y = e.node("Add", [y, constant], f"{out.name}/t", shape_of(out))
        write_rounded(e, y, out, node.attrs["out_shift"])

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if not pattern.op_types or pattern.op_types[-1] != "Quant" or "Conv" not in pattern.op_types:
            return None
        out = pattern.out()
        t, shift = read_rounded(pattern, out)
        data, bias = pattern.split(pattern.node(t, "Add"))
        total = transposed(pattern, data, TO_NHWC)
        terms: list[str] = []
        while pattern.produced_by(total, "Add"):
            total, last = pattern.node(total, "Add").input
            terms.insert(0, last)
        terms.insert(0, total)
        pattern.expect(len(terms) == len(WINDOWS), f"{len(terms)} branches, must be {len(WINDOWS)}")
        rows, sources, coef_bits = [], set(), 8
        for term, window in zip(terms, WINDOWS.values(), strict=True):
            y, coef = pattern.split(pattern.node(term, "Mul"))
            conv = pattern.node(y, "Conv")
            found = read_window(pattern, conv, out.channels)
            pads = (window[0] // 2, window[1] // 2) * 2
            pattern.expect(found == window, f"window {found} where {window} is due")
            pattern.expect(pattern.attribute(conv, "pads") == pads, f"{conv.name} must have pads {pads}")
            pattern.expect(pattern.attribute(conv, "strides", (1, 1)) == (1, 1), f"{conv.name} must have stride 1")
            sources.add(transposed(pattern, conv.input[0], TO_NCHW))
            rows.append(pattern.integers(coef).reshape(-1))
            coef_bits = pattern.model.get_tensor_datatype(coef).bitwidth()
        pattern.expect(len(sources) == 1, f"branches read {sorted(sources)}, must be one tensor")
        return FrozenNode(
            op="MultiPool",
            inputs=(pattern.tensor(sources.pop()).name,),
            output=out.name,
            attrs={"coef_bits": coef_bits, "out_shift": shift},
            params={"coef": np.stack(rows), "bias": pattern.integers(bias).reshape(-1)},
        )
