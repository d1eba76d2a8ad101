"""ChannelAffine: per-channel fixed-point a*x + b over one to four added streams, optional RPReLU, requantization."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.interval import Interval, bits_of
from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import (
    CostTerms,
    HwOp,
    IntArray,
    Memory,
    Params,
    Resources,
    RtlInstance,
    Stream,
    clog2,
    divisors,
    require_divisor,
)
from bvit_hw.ops.circuits import booth_luts, booth_registers, counter_bits
from bvit_hw.ops.coef_memory import pack_words
from bvit_hw.ops.hls import HlsInstance, HlsTable
from bvit_hw.ops.params import ParamSpec

#: the contract keeps every sum below 2**24 in magnitude
SUM_LIMIT = 25
#: the contract's width of the value that the slope multiplies
MID_LIMIT = 17
MAX_INPUTS = 4


@dataclass(frozen=True, kw_only=True)
class ChannelAffine(HwOp):
    """Norms, shortcuts, LayerScale and residual additions; arithmetic of docs/contract.md, bvit_channel_affine.sv.

    ``in_bits``, ``multiply`` (0/1) and ``shift`` have an entry for each of the one to four inputs, all signed, tokens x
    channels. ``bias_tokens`` (``bias2_tokens``) is 1 or ``tokens``. ``slope*``, ``mid_shift`` and ``bias2*`` count
    with ``prelu`` only. ``pe`` channels a cycle; ``use_dsp`` puts the multipliers into DSP blocks (1) or LUTs (0).

    ``params``: ``coef<i>`` (channels) for each multiplied input, ``bias`` (bias_tokens x channels), with prelu
    ``slope`` (channels) and ``bias2`` (bias2_tokens x channels).
    """

    op_type: ClassVar[str] = "ChannelAffine"
    contract_node: ClassVar[str] = "ChannelAffine"
    zero_fields: ClassVar[tuple[str, ...]] = ("multiply", "shift", "prelu", "mid_shift", "slope_shift", "out_shift")
    folding_fields: ClassVar[tuple[str, ...]] = ("pe", "use_dsp")
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_beat_counter.sv",
        "bvit_rom.sv",
        "bvit_booth_mul.sv",
        "bvit_affine_mul.sv",
        "bvit_saturate.sv",
        "bvit_channel_affine.sv",
    )

    tokens: int
    channels: int
    in_bits: tuple[int, ...]
    multiply: tuple[int, ...]
    shift: tuple[int, ...]
    coef_bits: int = 8
    bias_bits: int
    bias_tokens: int = 1
    prelu: int = 0
    mid_shift: int = 0
    slope_bits: int = 8
    slope_shift: int = 0
    bias2_bits: int = 1
    bias2_tokens: int = 1
    out_shift: int
    out_bits: int
    pe: int = 1
    use_dsp: int = 1

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        attrs, params, out = node.attrs, node.params, tensors[node.output]
        prelu = bool(attrs["prelu"])
        multiply, shift = (np.atleast_1d(attrs[name]).tolist() for name in ("multiply", "shift"))
        # Widths of parameters that there are none of keep their defaults.
        widths: dict[str, Any] = {"coef_bits": int(attrs["coef_bits"])} if any(multiply) else {}
        if prelu:
            widths |= {name: int(attrs[name]) for name in ("mid_shift", "slope_bits", "slope_shift")}
            widths |= {"bias2_bits": bits_of(params["bias2"]), "bias2_tokens": len(params["bias2"])}
        return cls(
            tokens=out.tokens, channels=out.channels, in_bits=tuple(tensors[name].bits for name in node.inputs),
            multiply=tuple(multiply), shift=tuple(shift), bias_bits=bits_of(params["bias"]),
            bias_tokens=len(params["bias"]), prelu=int(prelu), out_shift=int(attrs["out_shift"]), out_bits=out.bits,
            pe=1, use_dsp=0, **widths,
        )  # fmt: skip

    def check_fields(self) -> None:
        """Shape and folding."""
        for name in ("in_bits", "multiply", "shift"):
            object.__setattr__(self, name, tuple(int(v) for v in getattr(self, name)))
        self._check_shape()
        require_divisor("ChannelAffine", "pe", self.pe, self.channels, "channels")
        if self.use_dsp not in (0, 1):
            raise FoldingError(f"ChannelAffine: use_dsp={self.use_dsp}; allowed: 0, 1")

    def _check_shape(self) -> None:
        n = len(self.in_bits)
        if not 1 <= n <= MAX_INPUTS or len(self.multiply) != n or len(self.shift) != n:
            raise ConfigError(
                f"ChannelAffine: in_bits={self.in_bits}, multiply={self.multiply}, shift={self.shift}; allowed: one "
                f"entry for each of 1 to {MAX_INPUTS} inputs"
            )
        if any(m not in (0, 1) for m in (*self.multiply, self.prelu)):
            raise ConfigError(f"ChannelAffine: multiply={self.multiply}, prelu={self.prelu}; allowed: 0, 1")
        dsp_coef = self.target.dsp.coef
        ranges = {
            "tokens": (1, None),
            "channels": (1, None),
            "coef_bits": (2, dsp_coef),
            "bias_bits": (1, SUM_LIMIT),
            "mid_shift": (0, SUM_LIMIT - 1),
            "slope_bits": (2, dsp_coef),
            "slope_shift": (0, dsp_coef - 2),
            "bias2_bits": (1, SUM_LIMIT),
            "out_shift": (0, SUM_LIMIT - 1),
            "out_bits": (2, SUM_LIMIT),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                raise ConfigError(f"ChannelAffine: {name}={value}; allowed: {low} .. {high or 'any'}")
        for name in ("bias_tokens", "bias2_tokens"):
            if getattr(self, name) not in (1, self.tokens):
                raise ConfigError(f"ChannelAffine: {name}={getattr(self, name)}; allowed: 1 or {self.tokens} (tokens)")
        if any(not 2 <= b <= SUM_LIMIT for b in self.in_bits):
            raise ConfigError(f"ChannelAffine: in_bits={self.in_bits}; allowed: 2 .. {SUM_LIMIT} each")
        # sum_bits depends on the shifts and cannot be asked with negative ones
        if min(self.shift) < 0 or max(self.shift) >= self.sum_bits:
            raise ConfigError(
                f"ChannelAffine: shift={self.shift}; allowed: from 0, below the sum's width (at most {SUM_LIMIT})"
            )
        if self.prelu and self.mid_shift >= self.sum_bits:
            raise ConfigError(f"ChannelAffine: mid_shift={self.mid_shift}; allowed: below {self.sum_bits} (sum's bits)")
        if self.out_shift >= self.result_bits:
            raise ConfigError(
                f"ChannelAffine: out_shift={self.out_shift}; allowed: below {self.result_bits}, the result's bits"
            )

    # ------------------------------------------------------------------ widths

    @cached_property
    def sum_bits(self) -> int:
        """Width of t: what the types allow, but no more than the contract promises."""
        total = Interval.twos_complement(self.bias_bits)
        for bits, multiply, shift in zip(self.in_bits, self.multiply, self.shift, strict=True):
            term = Interval.twos_complement(bits)
            if multiply:
                term = term.times(Interval.twos_complement(self.coef_bits))
            total += term.scaled(1 << shift)
        return min(total.bits, SUM_LIMIT, MID_LIMIT + self.mid_shift if self.prelu else SUM_LIMIT)

    @cached_property
    def mid_bits(self) -> int:
        """Width of m, the value that the slope multiplies."""
        return max(self.sum_bits - self.mid_shift, 2)

    @cached_property
    def factor_bits(self) -> int:
        """Width of the second multiplier's factor: a slope, or 1.0 for values that are not negative."""
        return max(self.slope_bits, self.slope_shift + 2)

    @cached_property
    def result_bits(self) -> int:
        """Width of the value before the output's shift: t, or with prelu v."""
        if not self.prelu:
            return self.sum_bits
        mid = Interval.twos_complement(self.mid_bits)
        negative = mid.clipped(None, 0).times(Interval.twos_complement(self.slope_bits))
        result = negative.joined(mid.clipped(0, None).scaled(1 << self.slope_shift))
        return min((result + Interval.twos_complement(self.bias2_bits)).bits, SUM_LIMIT)

    @property
    def beats(self) -> int:
        """Beats a token."""
        return self.channels // self.pe

    def memory_shapes(self) -> dict[str, tuple[int, int]]:
        """Width and depth of each coefficient memory, by its name in the module."""
        shapes = {"BIAS": (self.pe * self.bias_bits, self.beats * self.bias_tokens)}
        if any(self.multiply):
            shapes["COEF"] = (self.pe * sum(self.multiply) * self.coef_bits, self.beats)
        if self.prelu:
            shapes["SLOPE"] = (self.pe * self.slope_bits, self.beats)
            shapes["BIAS2"] = (self.pe * self.bias2_bits, self.beats * self.bias2_tokens)
        return shapes

    @property
    def in_blocks(self) -> set[str]:
        """Which of the coefficient memories are block RAM."""
        in_block = self.target.memories.table_in_block
        return {name for name, shape in self.memory_shapes().items() if in_block(*shape)}

    # ------------------------------------------------------------------ HwOp

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """One signed stream for each input."""
        return tuple(
            Stream(tokens=self.tokens, channels=self.channels, lanes=self.pe, bits=bits, signed=True)
            for bits in self.in_bits
        )

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """The requantized result, signed."""
        return (Stream(tokens=self.tokens, channels=self.channels, lanes=self.pe, bits=self.out_bits, signed=True),)

    @property
    def cycles(self) -> int:
        """One a beat."""
        return self.tokens * self.beats

    def foldings(self) -> Iterator[Self]:
        """Every pe; multipliers in LUTs and, where there are any, in DSP blocks."""
        for pe in divisors(self.channels):
            for use_dsp in (0, 1) if self.prelu or any(self.multiply) else (0,):
                yield replace(self, pe=pe, use_dsp=use_dsp)

    def cost_terms(self) -> CostTerms:
        """Bits of the adders, LUTs of tables and multipliers; registers of each stage of the pipeline."""
        memories, shapes = self.target.memories, self.memory_shapes()
        multiplied = [(b, s) for b, m, s in zip(self.in_bits, self.multiply, self.shift, strict=True) if m]
        plain = [(b, s) for b, m, s in zip(self.in_bits, self.multiply, self.shift, strict=True) if not m]
        adder = sum(self.sum_bits - shift for _, shift in plain)
        booth = 0
        if not self.use_dsp:
            adder += sum(self.sum_bits - shift for _, shift in multiplied) + (self.result_bits if self.prelu else 0)
            booth = sum(booth_luts(bits, self.coef_bits) for bits, _ in multiplied)
            booth += booth_luts(self.mid_bits, self.factor_bits) if self.prelu else 0
        middle = sum(booth_registers(bits, self.coef_bits) for bits, _ in multiplied)
        middle += booth_registers(self.mid_bits, self.factor_bits) if self.prelu else 0
        saturates = self.result_bits - self.out_shift > self.out_bits
        addresses = clog2(self.beats) + clog2(self.beats * self.bias2_tokens) if self.prelu else 0
        counter = counter_bits(self.beats, self.tokens if max(self.bias_tokens, self.bias2_tokens) > 1 else 1)
        table, halves = memories.tables(shapes.values())
        fabric, pe = 0 if self.use_dsp else 1, self.pe
        waiting = sum(rank * (bits + self.coef_bits) for rank, (bits, _) in enumerate(multiplied))
        product = sum(min(bits + self.coef_bits, self.sum_bits - shift) for bits, shift in multiplied)
        prelu_registers = pe * self.prelu * (self.mid_bits + self.factor_bits)
        return CostTerms(
            circuit="ChannelAffine",
            lut={
                "one": 1, "input": len(self.in_bits), "address": addresses, "table": table, "adder": pe * adder,
                "booth": pe * booth, "saturate": pe * (self.out_bits + 2) if saturates else 0,
            },
            ff={
                "stage": 2 + len(multiplied) + 3 * self.prelu + counter + addresses
                + fabric * (bool(multiplied) + self.prelu),
                "out": pe * self.out_bits,
                "bias": 0 if "BIAS" in self.in_blocks else pe * self.bias_bits,
                "plain": pe * sum(bits for bits, _ in plain),
                "bias2": pe * self.bias2_bits if self.prelu else 0,
                "waiting": pe * waiting,
                # The base waits for products in lookup tables, which take two cycles.
                "base": fabric * pe * self.sum_bits * (2 if multiplied else 1),
                "middle": fabric * pe * middle,
                "sum": fabric * pe * len(multiplied) * self.sum_bits, "product": fabric * pe * product,
                "prelu": fabric * (prelu_registers + pe * self.prelu * 2 * self.result_bits),
                "prelu_dsp": (1 - fabric) * prelu_registers,
            },
            exact=Resources(bram18=halves, dsp=pe * (sum(self.multiply) + self.prelu) if self.use_dsp else 0),
        )  # fmt: skip

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """``coef<i>`` of each multiplied input, ``bias``, with prelu ``slope`` and ``bias2``."""
        specs = {
            f"coef{i}": ParamSpec(shape=(self.channels,), bits=self.coef_bits)
            for i, multiply in enumerate(self.multiply)
            if multiply
        }
        specs["bias"] = ParamSpec(shape=(self.bias_tokens, self.channels), bits=self.bias_bits)
        if self.prelu:
            specs["slope"] = ParamSpec(shape=(self.channels,), bits=self.slope_bits)
            specs["bias2"] = ParamSpec(shape=(self.bias2_tokens, self.channels), bits=self.bias2_bits)
        return specs

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """The contract's integers, tokens x channels; ConfigError where t or v leaves the width that the RTL has."""
        t: IntArray = np.broadcast_to(np.asarray(params["bias"], dtype=np.int64), (self.tokens, self.channels))
        for i, frame in enumerate(frames):
            x = np.asarray(frame, dtype=np.int64).reshape(self.tokens, self.channels)
            term = x * np.asarray(params[f"coef{i}"], dtype=np.int64) if self.multiply[i] else x
            t = t + (term << self.shift[i])
        self._check_fits("t", t, self.sum_bits)
        v = t
        if self.prelu:
            m = t >> self.mid_shift
            slope = np.asarray(params["slope"], dtype=np.int64)
            v = np.where(m >= 0, m << self.slope_shift, slope * m) + np.asarray(params["bias2"], dtype=np.int64)
            self._check_fits("v", v, self.result_bits)
        allowed = Interval.twos_complement(self.out_bits)
        return (np.clip(v >> self.out_shift, allowed.low, allowed.high),)

    def _check_fits(self, name: str, values: IntArray, bits: int) -> None:
        allowed = Interval.twos_complement(bits)
        if values.min() < allowed.low or values.max() > allowed.high:
            raise ConfigError(
                f"ChannelAffine: {name} reaches {values.min()} .. {values.max()}; the contract and the types allow "
                f"{allowed.low} .. {allowed.high} ({bits} bits)"
            )

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_channel_affine; inputs are s0_axis .. also when there is only one."""
        self.check_params(params)
        n = len(self.in_bits)
        unused = MAX_INPUTS - n
        shapes = self.memory_shapes()
        return RtlInstance(
            module="bvit_channel_affine",
            parameters={
                "PE": self.pe,
                "BEATS": self.beats,
                "TOKENS": self.tokens,
                "N_IN": n,
                **{f"IN{i}_BITS": bits for i, bits in enumerate((*self.in_bits, *(1,) * unused))},
                "MULTIPLY": sum(multiply << i for i, multiply in enumerate(self.multiply)),
                **{f"SHIFT{i}": shift for i, shift in enumerate((*self.shift, *(0,) * unused))},
                "COEF_BITS": self.coef_bits,
                "BIAS_BITS": self.bias_bits,
                "BIAS_PER_TOKEN": int(self.bias_tokens > 1),
                "SUM_BITS": self.sum_bits,
                "PRELU": self.prelu,
                "MID_SHIFT": self.mid_shift,
                "MID_BITS": self.mid_bits,
                "SLOPE_BITS": self.slope_bits,
                "SLOPE_SHIFT": self.slope_shift,
                "BIAS2_BITS": self.bias2_bits,
                "BIAS2_PER_TOKEN": int(self.bias2_tokens > 1),
                "RES_BITS": self.result_bits,
                "OUT_SHIFT": self.out_shift,
                "OUT_BITS": self.out_bits,
                "USE_DSP": self.use_dsp,
                **{f"{name}_BLOCK": int(name in self.in_blocks) for name in shapes},
            },
            inputs=tuple(f"s{i}_axis" for i in range(n)),
            memories={f"{name}_FILE": self._memory(name, params) for name in shapes},
            unused_inputs=tuple(f"s{i}_axis" for i in range(n, MAX_INPUTS)),
        )

    def _memory(self, name: str, params: Params) -> Memory:
        if name == "COEF":
            # words x lanes x multiplied inputs, the first input's coefficient lowest
            factors = [np.asarray(params[f"coef{i}"]) for i, multiply in enumerate(self.multiply) if multiply]
            return pack_words(np.stack(factors, axis=-1).reshape(self.beats, -1), self.coef_bits)
        bits = {"BIAS": self.bias_bits, "SLOPE": self.slope_bits, "BIAS2": self.bias2_bits}[name]
        return pack_words(np.asarray(params[name.lower()]).reshape(-1, self.pe), bits)

    def hls(self, params: Params) -> HlsInstance:
        """``channel_affine``; a table that there is nothing for is a single 0."""
        self.check_params(params)
        n = len(self.in_bits)
        single = ("tokens", "channels", "coef_bits", "bias_bits", "bias_tokens", "prelu", "mid_shift", "slope_bits",
                  "slope_shift", "bias2_bits", "bias2_tokens", "out_shift", "out_bits", "pe", "use_dsp")  # fmt: skip
        config = {"inputs": n, **{name: int(getattr(self, name)) for name in single}}
        for name in ("in_bits", "multiply", "shift"):
            values = (*getattr(self, name), *(0,) * (MAX_INPUTS - n))
            config |= {f"{name}{i}": value for i, value in enumerate(values)}
        coefs = [np.asarray(params[f"coef{i}"]) for i, multiply in enumerate(self.multiply) if multiply]
        arrays = {
            "coef": np.stack(coefs, axis=-1).reshape(self.beats, self.pe, -1) if coefs else np.zeros((1, 1, 1), int),
            "bias": np.asarray(params["bias"]).reshape(-1, self.pe),
            "slope": np.asarray(params["slope"]).reshape(-1, self.pe) if self.prelu else np.zeros((1, 1), int),
            "bias2": np.asarray(params["bias2"]).reshape(-1, self.pe) if self.prelu else np.zeros((1, 1), int),
        }
        return HlsInstance(
            header="channel_affine.hpp",
            function="channel_affine",
            shape="ChannelAffineShape",
            config=config,
            tables={
                name: HlsTable(
                    values=values,
                    bits=getattr(self, f"{name}_bits"),
                    signed=True,
                    reshape=tuple(range(2, values.ndim + 1)),
                    storage="bram" if name.upper() in self.in_blocks else "lutram",
                )
                for name, values in arrays.items()
            },
        )
