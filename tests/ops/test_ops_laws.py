"""Laws that every hardware operator keeps, whatever it does; a new one needs only a sample in op_samples.py."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from bvit_hw.contract.operators import OPERATORS as CONTRACT_OPERATORS
from bvit_hw.errors import ConfigError, LoweringError
from bvit_hw.ops.base import HwOp, Intake, IntArray
from bvit_hw.ops.hls import HlsInstance
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.ops.params import ParamSpec
from bvit_hw.ops.registry import from_attributes, operators
from bvit_hw.rtl_library import source_paths
from tests.op_samples import OPS, VARIANTS

SAMPLES = (*OPS, *VARIANTS)
SPECS = [
    pytest.param(op, name, id=f"{op.op_type}{'-variant' if op in VARIANTS else ''}-{name}")
    for op in SAMPLES
    for name in op.param_specs
]


def label(op: HwOp) -> str:
    """The operator's name, and whether it is a variant."""
    return f"{op.op_type}-variant" if op in VARIANTS else op.op_type


every_op = pytest.mark.parametrize("op", SAMPLES, ids=label)


def ends(op: HwOp) -> list[HwOp]:
    """The operator as given, and its slowest and its fastest folding."""
    folds = list(op.foldings())
    return list(dict.fromkeys((op, folds[0], folds[-1])))


def frames_of(op: HwOp, rng: np.random.Generator) -> list[IntArray]:
    """Random frames with both ends of the range."""
    frames = [rng.integers(s.low, s.high, (s.tokens, s.channels), endpoint=True) for s in op.inputs]
    for frame, stream in zip(frames, op.inputs, strict=True):
        frame.flat[0], frame.flat[-1] = stream.low, stream.high
    return frames


def test_every_operator_has_samples() -> None:
    assert {op.op_type for op in OPS} == set(operators()) == {op.op_type for op in VARIANTS}


@every_op
def test_attributes_make_the_operator_again(op: HwOp) -> None:
    attributes = op.attributes()
    assert replace(from_attributes(op.op_type, attributes), target=op.target) == op
    # as they come out of a graph's file
    written = {k: list(v) if isinstance(v, tuple) else v.encode() if isinstance(v, str) else np.int64(v)
               for k, v in attributes.items()}  # fmt: skip
    again = replace(from_attributes(op.op_type, written), target=op.target)
    assert again == op and hash(again) == hash(op)
    with pytest.raises(LoweringError, match=r"unknown fields .'colour'"):
        from_attributes(op.op_type, {**attributes, "colour": 1})
    first = op.attribute_names()[0]
    with pytest.raises(LoweringError, match=rf"missing fields .'{first}'"):
        from_attributes(op.op_type, {k: v for k, v in attributes.items() if k != first})


@every_op
def test_every_folding_is_legal(op: HwOp) -> None:
    """Another folding of the same shape, no faster than its streams, none twice, the slowest first."""
    folds = list(op.foldings())
    assert folds and len(set(folds)) == len(folds)
    assert folds[0].cycles == max(fold.cycles for fold in folds)
    shape = {k: v for k, v in op.attributes().items() if k not in op.folding_fields}
    values = [(s.tokens * s.channels, s.bits, s.signed) for s in (*op.inputs, *op.outputs)]
    for fold in folds:
        assert replace(from_attributes(op.op_type, fold.attributes()), target=op.target) == fold
        assert {k: v for k, v in fold.attributes().items() if k not in op.folding_fields} == shape
        streams = (*fold.inputs, *fold.outputs)
        assert [(s.tokens * s.channels, s.bits, s.signed) for s in streams] == values
        assert fold.cycles >= max(stream.beats for stream in streams)
        cost = fold.resources()
        assert all(np.isfinite(getattr(cost, f.name)) and getattr(cost, f.name) >= 0 for f in fields(cost))


@every_op
def test_results_lie_within_their_streams(op: HwOp) -> None:
    """Of random parameters and frames; streams carry them unchanged, and no folding changes them."""
    rng = np.random.default_rng(1)
    for _ in range(5):
        params, frames = op.random_params(rng), frames_of(op, rng)
        op.check_params(params)
        wanted = op.golden(params, *frames)
        assert len(wanted) == len(op.outputs)
        for fold in ends(op):
            found = fold.golden(params, *frames)
            for frame, stream, same in zip(found, fold.outputs, wanted, strict=True):
                assert frame.dtype == np.int64 and frame.shape == (stream.tokens, stream.channels)
                assert stream.low <= frame.min() and frame.max() <= stream.high
                assert np.array_equal(frame, same)
                beats = stream.pack(frame)
                assert len(beats) == stream.beats and max(beats) < 1 << stream.width
                assert np.array_equal(stream.unpack(beats), frame)


@every_op
def test_the_module_has_what_it_needs(op: HwOp) -> None:
    """Ports for every stream, sources that hold the module, memories whose words fit."""
    params = op.random_params(np.random.default_rng(1))
    for fold in ends(op):
        rtl = fold.rtl(params)
        assert len(rtl.inputs) == len(fold.inputs) and len(rtl.outputs) == len(fold.outputs)
        assert not set(rtl.inputs) & set(rtl.unused_inputs)
        text = source_paths(fold.sources)[-1].read_text()
        assert f"module {rtl.module}" in text
        for name in (*rtl.parameters, *rtl.memories):
            assert f" {name} " in text, f"{rtl.module} has no parameter {name}"
        for memory in rtl.memories.values():
            assert memory.words and all(0 <= word < 1 << memory.width for word in memory.words)


@pytest.mark.parametrize(("op", "name"), SPECS)
def test_every_parameter_is_packed(op: HwOp, name: str) -> None:
    """An entry at its least, one more, half-way and at its most gives as many memories: packing loses no bit."""
    params = op.random_params(np.random.default_rng(1))
    spec, most = op.param_specs[name], params[name].size - 1
    low, high = spec.range
    entries = {low, high} if spec.bipolar else {low, low + 1, high}
    if spec.limits is None and not spec.bipolar:
        entries |= {(low + high + 1) // 2}
    for at in {0, most // 2, most}:
        others = []
        for entry in sorted(entries):
            changed = params[name].copy()
            changed.flat[at] = entry
            others.append({**params, name: changed})
        for fold in ends(op):
            memories = [fold.rtl(other).memories for other in others]
            assert all(a != b for n, a in enumerate(memories) for b in memories[:n])


def test_drawn_weights_fit_a_narrow_accumulator() -> None:
    op = IntMVAU(tokens=2, cols=7, rows=8, in_bits=4, in_signed=1, weight_bits=5, acc_bits=9)
    widest = ParamSpec(shape=(8, 7), bits=5).random(np.random.default_rng(1))
    with pytest.raises(ConfigError, match="sums can reach"):
        op.check_params({"weights": widest})
    drawn = op.random_params(np.random.default_rng(1))
    op.check_params(drawn)
    assert drawn["weights"].min() < 0 < drawn["weights"].max()


@pytest.mark.parametrize(("op", "name"), SPECS)
def test_parameters_are_refused_by_name(op: HwOp, name: str) -> None:
    """One that is missing, of another shape, no integers, or an entry out of range."""
    params = op.random_params(np.random.default_rng(1))
    spec, good = op.param_specs[name], params[name]
    op.check_params({**params, name: good.astype(np.int32)})
    without = {k: v for k, v in params.items() if k != name}
    for call in (op.check_params, op.rtl):
        with pytest.raises(ConfigError, match=rf"{op.op_type}: given parameters .*; allowed: exactly .*'{name}'"):
            call(without)
    with pytest.raises(ConfigError, match=f"{op.op_type}: {name} has shape .*; allowed: "):
        op.check_params({**params, name: np.stack([good, good])})
    with pytest.raises(ConfigError, match=f"{op.op_type}: {name} has dtype float64; allowed: integers"):
        op.check_params({**params, name: good.astype(np.float64)})
    for bad in (spec.range[0] - 1, spec.range[1] + 1):
        wrong = good.copy()
        wrong.flat[-1] = bad
        with pytest.raises(ConfigError, match=f"{op.op_type}: {name} (holds|is) .*({bad}|other values than -1 and)"):
            op.check_params({**params, name: wrong})


@every_op
def test_unknown_parameters_are_refused_by_name(op: HwOp) -> None:
    params = op.random_params(np.random.default_rng(1))
    with pytest.raises(ConfigError, match=rf"{op.op_type}: given parameters .*'colour'.*; (allowed: exactly|it has)"):
        op.check_params({**params, "colour": np.zeros(3, dtype=np.int64)})


@every_op
def test_facts_for_the_graph(op: HwOp) -> None:
    """What passes ask: lag, intake, glue and depth agree with the streams."""
    busiest = max(stream.beats for stream in (*op.inputs, *op.outputs))
    assert len(op.lags) == len(op.inputs) and all(0 <= lag <= 1 for lag in op.lags)
    if op.intake is Intake.FLOWS:
        assert op.cycles == busiest and not any(op.lags) and len(op.inputs) == 1
    if op.intake is Intake.SPLITS:
        assert op.outputs[0].beats > op.inputs[0].beats and op.outputs[0].beats % op.inputs[0].beats == 0
    assert bool(op.fifo_memory) == bool(op.fifo_depth)
    if op.is_glue:
        assert not op.param_specs and not op.contract_node and op.cycles == busiest
        assert len({(s.tokens, s.channels, s.bits, s.signed) for s in (*op.inputs, *op.outputs)}) == 1
    else:
        assert not op.fifo_depth and op.contract_node in CONTRACT_OPERATORS


def test_each_node_of_the_contract_has_one_operator() -> None:
    kinds = [cls.contract_node for cls in operators().values() if cls.contract_node]
    assert len(set(kinds)) == len(kinds)
    assert set(CONTRACT_OPERATORS) == set(kinds)


@every_op
def test_the_template_is_there_or_is_refused(op: HwOp) -> None:
    params = op.random_params(np.random.default_rng(1))
    if op.has_hls():
        assert isinstance(op.hls(params), HlsInstance)
    else:
        with pytest.raises(ConfigError, match=f"{op.op_type}: has no HLS template, only RTL; allowed: rtl"):
            op.hls(params)


@pytest.mark.parametrize(
    ("spec", "held"),
    [
        (ParamSpec(shape=(200,), bits=3), set(range(-4, 4))),
        (ParamSpec(shape=(200,), bits=2, signed=False), set(range(4))),
        (ParamSpec(shape=(200,), bits=9, limits=(-2, 5)), set(range(-2, 6))),
        (ParamSpec(shape=(200,), bipolar=True), {-1, 1}),
    ],
)
def test_draws_reach_all_that_is_allowed(spec: ParamSpec, held: set[int]) -> None:
    values = spec.random(np.random.default_rng(1))
    assert set(values.tolist()) == held and spec.range == (min(held), max(held))
    spec.check("x", values)
