"""The golden machine's commands give what the contract's operators give."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.attention_rule import score_table
from bvit_hw.contract.operators import OPERATORS
from bvit_hw.engine.commands import MATRIX, BitMode, Command, Kind, Memory, Step, Tap, View
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.layout import Bits, Layout, Values
from bvit_hw.engine.machine import TABLE, Machine, table_words

CONFIG = EngineConfig(tokens=3, rows=16)
TABLE_WORDS = table_words(CONFIG.channels)
GRID = Layout(2, 2, 3)


def tensor(name: str, channels: int, bits: int = 8, signed: bool = True) -> FrozenTensor:
    return FrozenTensor(name=name, height=2, width=6, channels=channels, bits=bits, signed=signed)


def place(memory: np.ndarray, held: Values | Bits, x: np.ndarray) -> None:
    """Put tokens x channels where ``held`` says; of several bytes the lowest is all that is used here."""
    lane, slot = held.layout.places()
    for token, row in enumerate(x):
        for c, value in enumerate(row):
            if isinstance(held, Values):
                memory[held.at(slot[token], c // held.group), lane[token], c % held.group] = value & 255
            else:
                at = held.octet(slot[token], c)
                memory[at // 8, lane[token], at % 8 * 8 + c % 8] = value


@pytest.mark.parametrize("prelu", [0, 1])
@pytest.mark.parametrize("channels", [8, 16])
def test_a_linear_layer_its_affine_and_the_bits_behind_it(prelu: int, channels: int) -> None:
    """72 columns, of which the second word masks 7 octets; 32 rows in two turns; one operand from memory."""
    rng, machine = np.random.default_rng(prelu), Machine(replace(CONFIG, channels=channels), b"")
    groups, turn = 32 // channels, 16 // channels
    x, h = rng.integers(0, 2, (12, 72)), rng.integers(-128, 128, (12, 32))
    weights = rng.choice([-1, 1], (32, 72))
    attrs = {"multiply": (1, 0), "shift": (3, 6), "prelu": prelu, "mid_shift": 4, "slope_shift": 6, "out_shift": 8}
    params = {
        "coef0": rng.integers(-128, 128, 32), "bias": rng.integers(-3600, 3600, (1, 32)),
        "slope": rng.integers(-128, 128, 32), "bias2": rng.integers(-9000, 9000, (1, 32)),
    }  # fmt: skip
    threshold = rng.integers(-100, 100, 32)
    bits, held = Bits(4, GRID, 72, 2), Values(0, GRID, 32, 1, True, channels)
    out, out_bits = Values(100, GRID, 32, 1, True, channels), Bits(40, GRID, 32, 1)
    place(machine.bits, bits, x)
    place(machine.values, held, h)
    # The columns beyond 72 are bits 0 and weights 1: -56, which the bias takes away again.
    padded = np.ones((32, 128), dtype=np.uint8)
    padded[:, :72] = weights > 0
    machine.weights[:4] = padded.reshape(2, 16, 2, 64).transpose(0, 2, 1, 3).reshape(4, 16, 64)
    fields = [params["bias"][0] + (params["coef0"] * 56 << 3), params["bias2"][0] * prelu]
    fields += [(threshold << 16) | (params["slope"] & 0xFFFF), params["coef0"] & 0xFFFF]
    record = np.stack(fields).astype(np.int64).astype(np.uint32).reshape(4, groups, channels)
    machine.params[: 4 * groups] = record.transpose(1, 0, 2).reshape(4 * groups, channels)
    machine.steps[:2] = [Step(0, 0).word, Step(1, 1, 0, 1).word]
    machine.taps[:2] = [tap.word for tap in (*Tap(MATRIX, shift=3, coef=0).split(), *Tap(0, shift=6).split())]
    machine.run(Command(
        kind=Kind.COMPUTE, groups=turn, n0=2, n1=2, n2=2, step_count=2, tap_count=2, weights=View(0, 2),
        bits_in=View(4, 0, 4, 2), values_out=View(100, turn, 2 * groups, groups), out_group=1,
        bits_out=View(40 * 8, 2, 16, 8), param_stride=4 * turn, record=4,
        mid_shift=4 * prelu, slope_shift=6 * prelu, out_shift=8, out_bits=8, out_bytes=1,
        bit_mode=BitMode.THRESHOLD, prelu=bool(prelu), operand0=View(0, turn, 2 * groups, groups), group0=1, lanes=3,
    ))  # fmt: skip
    acc = (2 * x - 1) @ weights.T
    node = FrozenNode(op="ChannelAffine", inputs=("acc", "h"), output="y", attrs=attrs, params=params)
    images = (acc.reshape(1, 2, 6, 32), h.reshape(1, 2, 6, 32))
    wanted = OPERATORS["ChannelAffine"].run(node, tensor("y", 32), *images).reshape(12, 32)
    assert len(np.unique(wanted)) > 50
    assert np.array_equal(out.read(machine.values), wanted)
    assert np.array_equal(out_bits.read(machine.bits), wanted >= threshold)


def test_attention_of_two_heads_in_a_word() -> None:
    """12 queries and keys in three lanes, heads of 16 channels; places of no key are masked."""
    rng, machine = np.random.default_rng(3), Machine(CONFIG, b"")
    q, k, v = (rng.integers(0, 2, (12, 32)) for _ in range(3))
    held = [Bits(base, GRID, 32, 1) for base in (0, 4, 8)]
    for bits, x in zip(held, (q, k, v), strict=True):
        place(machine.bits, bits, x)
    table, threshold = score_table(16, 15), 7000
    entries = np.zeros(8 * TABLE_WORDS, dtype=np.uint32)
    entries[TABLE - 17 : TABLE] = table
    machine.params[:TABLE_WORDS] = entries.reshape(-1, 8)
    machine.params[TABLE_WORDS, 0] = threshold
    machine.params[TABLE_WORDS + 1, :2] = [(1 << 12) - 1, 0]
    # The half of a sum is a sixteenth of eight times that.
    machine.taps[0], found = Tap(MATRIX, shift=3).split()[0].word, np.zeros((12, 32), dtype=np.int64)
    for head in range(2):
        part = {"start": 2 * head, "count": 2}
        machine.steps[:3] = [Step(0, 0, **part).word, Step(0, 0).word, Step(0, 0, ones=True).word]
        machine.run(Command(kind=Kind.KEYS, n0=4, bits_in=View(4, 1), weights=View(0), **part))
        machine.run(Command(
            kind=Kind.ATTEND, n0=2, n1=2, n2=4, step_count=1, weights=View(0, 0, 0, 1), bits_in=View(0, 2, 1),
            bits_out=View(20 * 8, 16, 8, 2),
        ))  # fmt: skip
        machine.run(Command(kind=Kind.VALUES, n0=4, bits_in=View(8, 1), weights=View(16), **part))
        machine.params[30:34] = 0
        machine.run(Command(
            kind=Kind.COMPUTE, groups=2, n1=2, n2=2, step_base=1, step_count=2, tap_count=1, weights=View(16),
            bits_in=View(20, 0, 2, 1), values_out=View(0, 0, 4, 2), out_group=1, param_base=30, mid_shift=4,
            out_bits=8, out_bytes=1, lanes=3,
        ))  # fmt: skip
        found[:, 16 * head : 16 * head + 16] = Values(0, GRID, 16, 1, True).read(machine.values)
    # The keys' order on the chip is that of slots and lanes, and does not matter to a sum.
    attrs = {"heads": 2, "table_bits": 15, "table_shift": 16}
    params = {"table": table, "threshold": np.int64(threshold)}
    node = FrozenNode(op="BinaryAttention", inputs=("q", "k", "v"), output="att", attrs=attrs, params=params)
    images = [x.reshape(1, 2, 6, 32) for x in (q, k, v)]
    wanted = OPERATORS["BinaryAttention"].run(node, tensor("att", 32), *images).reshape(12, 32)
    assert len(np.unique(wanted)) > 4 and np.array_equal(found, wanted)


def test_lanes_shift() -> None:
    """A sum over all lanes, into lane 0."""
    rng, machine = np.random.default_rng(4), Machine(CONFIG, b"")
    x = rng.integers(-128, 128, (12, 16))
    place(machine.values, Values(0, GRID, 16, 1, True), x)
    summed = Values(60, Layout(2, 2, 1), 16, 2, True)
    machine.taps[2:5] = [Tap(0, lane=lane).word for lane in range(3)]
    machine.run(Command(
        kind=Kind.COMPUTE, n1=2, n2=2, out_bits=16, out_bytes=2, lanes=3, groups=2, tap_base=2, tap_count=3,
        operand0=View(0, 0, 4, 2), group0=1, out_group=2, values_out=View(60, 0, 8, 4),
    ))  # fmt: skip
    wanted = x.reshape(2, 3, 2, 16).sum(axis=1).reshape(4, 16)
    assert np.array_equal(summed.read(machine.values), wanted)


@pytest.mark.parametrize(("channels", "fold"), [(8, 1), (8, 3), (16, 2)])
def test_results_are_pooled_by_channel_where_they_are_made(channels: int, fold: int) -> None:
    """Two turns of groups for a token; their bits are of what is not pooled; the next word is not touched."""
    rng, machine = np.random.default_rng(fold), Machine(replace(CONFIG, rows=channels, channels=channels), b"")
    wide, groups = 4 * channels, 2
    x = rng.integers(-128, 128, (12, wide))
    place(machine.values, Values(0, GRID, wide, 1, True, channels), x)
    pooled, bits = Values(80, GRID, wide >> fold, 2, True, channels), Bits(8, GRID, wide, 1)
    pieces, behind = pooled.groups << fold, pooled.base + pooled.words
    machine.values[behind:] = 77
    machine.taps[0] = Tap(0).word
    turn, octets = groups * channels // 8, 8
    machine.run(Command(
        kind=Kind.COMPUTE, groups=groups, n0=2, n1=2, n2=2, tap_count=1, operand0=View(0, groups, 8, 4), group0=1,
        values_out=View(0, groups, 2 * pieces, pieces), out_group=1, bits_out=View(64, turn, 2 * octets, octets),
        out_bits=8, out_bytes=2, out_fold=fold, fold_base=80, bit_mode=BitMode.THRESHOLD, lanes=3,
    ))  # fmt: skip
    assert np.array_equal(pooled.read(machine.values), x.reshape(12, -1, 1 << fold).sum(axis=2))
    assert np.array_equal(bits.read(machine.bits), x >= 0) and np.all(machine.values[behind:] == 77)


def test_bits_at_a_place_that_a_wide_vector_unit_cannot_write_are_refused() -> None:
    machine = Machine(replace(CONFIG, channels=16), b"")
    with pytest.raises(ValueError, match="allowed: octets that are a multiple of 2"):
        machine.run(Command(kind=Kind.COMPUTE, groups=1, bits_out=View(1), out_bits=8, bit_mode=BitMode.THRESHOLD))


@pytest.mark.parametrize(("name", "shift"), [("mid_shift", 2), ("out_shift", 4)])
def test_a_shift_that_the_vector_unit_has_not_is_refused(name: str, shift: int) -> None:
    command = Command(kind=Kind.COMPUTE, groups=1, out_bits=8)
    with pytest.raises(ValueError, match=f"{name}={shift}; allowed: 0"):
        Machine(CONFIG, b"").run(replace(command, **{name: shift}))  # type: ignore[arg-type]


@pytest.mark.parametrize("signed", [0, 1])
def test_integers_are_products_of_planes(signed: int) -> None:
    """4 w x = sum of +-2^(p+q) of planes - sum of planes of x + a constant: steps that double, the highest first."""
    rng, machine = np.random.default_rng(5), Machine(CONFIG, b"")
    low = -8 if signed else 0
    x, w = rng.integers(low, low + 16, (12, 64)), rng.integers(-4, 4, (16, 64))
    planes, rows = [x >> p & 1 for p in range(4)], [w >> q & 1 for q in range(3)]
    for p, plane in enumerate(planes):
        place(machine.bits, Bits(4 * p, GRID, 64, 1), plane)
    steps, words = [], []
    for power in reversed(range(6)):
        first = True
        for p in range(4):
            negative = bool(signed) and p == 3
            pairs = [(rows[power - p], (power - p == 2) != negative)] if 0 <= power - p < 3 else []
            if power == p:
                pairs.append((np.ones_like(w), not negative))
            for bits, turned in pairs:
                steps.append(Step(4 * p, len(words), double=first and bool(steps)).word)
                words.append(1 - bits if turned else bits)
                first = False
    machine.steps[: len(steps)], machine.weights[: len(words)] = steps, np.stack(words)
    machine.taps[0] = Tap(MATRIX).split()[0].word
    machine.run(Command(
        kind=Kind.COMPUTE, groups=2, n1=2, n2=2, step_count=len(steps), tap_count=1, bits_in=View(0, 0, 2, 1),
        values_out=View(0, 0, 16, 8), out_group=4, out_bits=32, out_bytes=4, lanes=3,
    ))  # fmt: skip
    constant = (-1 if signed else 15) * 2 * w.sum(axis=1)
    assert np.array_equal(Values(0, GRID, 16, 4, True).read(machine.values) + constant, 4 * x @ w.T)


def test_wide_values_are_loaded_and_stored_lane_by_lane() -> None:
    """With 16 channels a lane's bytes are two beats: three beats are lane 0 and the lower half of lane 1."""
    programme = np.random.default_rng(7).integers(0, 256, 48, dtype=np.uint8)
    machine = Machine(replace(CONFIG, channels=16), programme.tobytes(), output_size=48)
    machine.run(Command(kind=Kind.LOAD, memory=Memory.VALUES, weights=View(7), words=2, slices=3))
    machine.run(Command(kind=Kind.STORE, operand0=View(7), words=2, slices=3))
    assert np.array_equal(machine.values[7, 0], programme[:16]) and np.array_equal(machine.output, programme)
    assert np.array_equal(machine.values[8, 1, :8], programme[40:]) and not machine.values[7:9, 1, 8:].any()


def test_a_wide_port_moves_whole_beats() -> None:
    """Of a tap's beat the first half counts; words of an odd number of slices are refused."""
    programme = np.arange(64, dtype=np.uint8)
    machine = Machine(replace(CONFIG, channels=16, port=128), programme.tobytes())
    machine.run(Command(kind=Kind.LOAD, memory=Memory.TAPS, weights=View(3), words=2, slices=2, address=16))
    assert machine.taps[3:5].tobytes() == programme[16:24].tobytes() + programme[32:40].tobytes()
    with pytest.raises(ValueError, match="LOAD: slices=3; allowed: multiples of 2"):
        machine.run(Command(kind=Kind.LOAD, memory=Memory.VALUES, words=1, slices=3))


def test_dram_is_loaded_by_slices_and_stored_by_lanes() -> None:
    rng = np.random.default_rng(6)
    programme = rng.integers(0, 256, 256, dtype=np.uint8).tobytes()
    machine = Machine(CONFIG, programme, output_size=64)
    load = {"kind": Kind.LOAD, "words": 2, "slices": 2}
    machine.run(Command(memory=Memory.VALUES, weights=View(7), address=16, **load))
    machine.run(Command(memory=Memory.WEIGHTS, weights=View(9), address=64, **load))
    machine.run(Command(kind=Kind.STORE, operand0=View(7), words=2, slices=2, address=32))
    assert machine.output[32:].tobytes() == programme[16:48] and not machine.output[:32].any()
    assert np.packbits(machine.weights[9:11, :2], bitorder="little").tobytes() == programme[64:96]
