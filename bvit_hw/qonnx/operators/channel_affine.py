"""ChannelAffine: Mul, Add, PRelu and Quant by channel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.operators.channel_affine import MID_BITS
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, floats, integer_type, read_rounded, shape_of, write_rounded
from bvit_hw.qonnx.pattern import Pattern, is_named


class ChannelAffine(QonnxOperator):
    """One or several tensors scaled, added, perhaps through an RPReLU, and rounded."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        attrs, shape = node.attrs, shape_of(out)
        coef_type = f"INT{attrs['coef_bits']}"

        def constant(key: str) -> str:
            values = node.params[key]
            # One row for every token becomes the grid, a single row stays a vector of channels.
            grid = values.reshape(shape[1:]) if len(values) > 1 else values[0]
            return e.constant(f"{out.name}/{key}", floats(grid), integer_type(values))

        total = ""
        for i, name in enumerate(node.inputs):
            if attrs["multiply"][i]:
                coef = e.constant(f"{out.name}/coef{i}", floats(node.params[f"coef{i}"]), coef_type)
                name = e.node("Mul", [name, coef], f"{out.name}/product{i}", shape)
            name = e.node("Mul", [name, e.scalar(2.0 ** attrs["shift"][i])], f"{out.name}/term{i}", shape)
            total = e.node("Add", [total, name], f"{out.name}/sum{i}", shape) if i else name
        v = e.node("Add", [total, constant("bias")], f"{out.name}/t", shape)
        if attrs["prelu"]:
            shift = attrs["slope_shift"]
            v = e.node("Mul", [v, e.scalar(2.0 ** -attrs["mid_shift"])], f"{out.name}/t_scaled", shape)
            v = e.quant(v, f"{out.name}/m", shape, MID_BITS)
            slope_bits = attrs["slope_bits"]
            slope_type = f"FIXED<{slope_bits},{slope_bits - shift}>" if shift else f"INT{slope_bits}"
            slope = e.constant(f"{out.name}/slope", floats(node.params["slope"]) * 2.0**-shift, slope_type)
            v = e.node("PRelu", [v, slope], f"{out.name}/prelu", shape)
            v = e.node("Mul", [v, e.scalar(2.0**shift)], f"{out.name}/prelu_scaled", shape)
            v = e.node("Add", [v, constant("bias2")], f"{out.name}/v", shape)
        write_rounded(e, v, out, attrs["out_shift"])

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if not pattern.op_types or pattern.op_types[-1] != "Quant" or "Conv" in pattern.op_types:
            return None
        out = pattern.out()
        v, out_shift = read_rounded(pattern, out)
        params: dict[str, np.ndarray] = {}
        attrs: dict[str, int | tuple[int, ...]] = {"prelu": 0, "mid_shift": 0, "slope_shift": 0, "slope_bits": 8}
        attrs["out_shift"] = out_shift
        data, constant = pattern.split(pattern.node(v, "Add"))
        if pattern.produced_by(data, "Mul") and "PRelu" in pattern.op_types:
            params["bias2"] = _rows(pattern, constant, out.channels)
            prelu, slope_shift = pattern.scaled(data)
            m, slope = pattern.node(prelu, "PRelu").input
            slope_bits = pattern.model.get_tensor_datatype(slope).bitwidth()
            slopes = pattern.constant(slope).astype(np.float64) * 2.0**slope_shift
            pattern.expect(bool(np.all(slopes == np.rint(slopes))), f"{slope} is not on the grid 2**-{slope_shift}")
            params["slope"] = np.rint(slopes).astype(np.int64).reshape(-1)
            t_scaled, _ = pattern.quant(m)
            t, mid_shift = pattern.scaled(t_scaled)
            attrs |= {"prelu": 1, "mid_shift": -mid_shift, "slope_shift": slope_shift, "slope_bits": slope_bits}
            data, constant = pattern.split(pattern.node(t, "Add"))
        params["bias"] = _rows(pattern, constant, out.channels)
        inputs, shifts, coefs, coef_bits = _terms(pattern, data)
        attrs["shift"] = tuple(shifts)
        attrs["multiply"] = tuple(int(coef is not None) for coef in coefs)
        attrs["coef_bits"] = coef_bits
        params |= {f"coef{i}": coef for i, coef in enumerate(coefs) if coef is not None}
        pattern.expect(
            all(int(np.min(np.asarray(attrs[key]))) >= 0 for key in ("out_shift", "mid_shift", "slope_shift", "shift")),
            f"negative shift: {attrs}",
        )
        return FrozenNode(op="ChannelAffine", inputs=tuple(inputs), output=out.name, attrs=attrs, params=params)


def _rows(pattern: Pattern, tensor: str, channels: int) -> np.ndarray:
    """A constant (C) or H x W x C as (1 or tokens) x C."""
    values = pattern.integers(tensor)
    pattern.expect(values.shape[-1:] == (channels,), f"{tensor} has shape {values.shape}, not {channels} channels last")
    return values.reshape(-1, channels)


def _terms(pattern: Pattern, total: str) -> tuple[list[str], list[int], list[np.ndarray | None], int]:
    """Inputs, shifts and coefficients of the sum ``total``, first input first."""
    tensors: list[str] = []
    while pattern.produced_by(total, "Add"):
        total, last = pattern.node(total, "Add").input
        tensors.insert(0, last)
    tensors.insert(0, total)
    inputs: list[str] = []
    shifts: list[int] = []
    coefs: list[np.ndarray | None] = []
    coef_bits = 8
    for tensor in tensors:
        x, shift = pattern.scaled(tensor)
        coef = None
        if not is_named(x):
            x, name = pattern.split(pattern.node(x, "Mul"))
            coef = pattern.integers(name).reshape(-1)
            coef_bits = pattern.model.get_tensor_datatype(name).bitwidth()
        pattern.expect(is_named(x), f"term {tensor} must start at a tensor of the contract")
        inputs.append(x)
        shifts.append(shift)
        coefs.append(coef)
    return inputs, shifts, coefs, coef_bits
