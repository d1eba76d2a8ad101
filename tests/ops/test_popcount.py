"""The shared-parity popcount: weight encoding, size, and what Yosys makes of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.finn.node import make_hw_node, op_of
from bvit_hw.flows.yosys import SynthJob, job_of, synthesize
from bvit_hw.ops.binary_mvau import (
    PRIMITIVE_MODELS,
    PRIMITIVE_SOURCES,
    ULTRASCALE_MODELS,
    BinaryMVAU,
    pack_weights,
    unpack_weights,
)
from bvit_hw.ops.popcount import STRUCTURES, decode, encode, is_shared, level_sizes, popcount_size, word_positions
from bvit_hw.ops.registry import from_attributes
from bvit_hw.targets import XC7
from bvit_hw.targets.xcup import TARGET as XCUP
from tests.odd_names import ODD


def shared_parity_sum(x: np.ndarray, word: np.ndarray) -> int:
    """Popcount of xnor(x, w) computed from the stored word as the hardware does, with as many MAJ as it has LUTs."""
    groups = len(x) // 3
    w = word[: len(x)].copy()
    w[2 * groups : 3 * groups] ^= w[:groups] ^ w[groups : 2 * groups]
    upper = word[2 * groups : len(x)]
    extra = list(word[len(x) :])
    majorities = 0
    first = True
    while len(x) > 2:
        groups = len(x) // 3
        product = (1 - (x ^ w))[: 3 * groups].reshape(3, groups)
        majorities += int((product.sum(axis=0) >= 2).sum())
        x_parity = np.bitwise_xor.reduce(x[: 3 * groups].reshape(3, groups), axis=0)
        if first:
            w_next = upper
        else:
            made = np.bitwise_xor.reduce(w[: 3 * groups].reshape(3, groups), axis=0)
            stored = [extra.pop(0) if extra else made[g] for g in range(groups)]
            w_next = np.concatenate([np.array(stored, dtype=w.dtype), w[3 * groups :]])
        x = np.concatenate([x_parity, x[3 * groups :]])
        w = w_next
        first = False
    assert not extra
    return 2 * majorities + int((1 - (x ^ w)).sum())


@given(simd=st.integers(3, 300), seed=st.integers(0, 2**32 - 1))
def test_encoded_word_gives_the_popcount(simd: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, w = rng.integers(0, 2, (2, simd), dtype=np.uint8)
    word = encode(w, "shared_parity")
    assert word.shape == (word_positions(simd, "shared_parity"),)
    assert shared_parity_sum(x, word) == int((x == w).sum())


@given(simd=st.integers(1, 200), structure=st.sampled_from(STRUCTURES), seed=st.integers(0, 2**32 - 1))
def test_decode_inverts_encode(simd: int, structure: str, seed: int) -> None:
    if structure == "shared_parity" and simd < 3:
        with pytest.raises(ConfigError, match="allowed: 3 or more"):
            is_shared(simd, structure)
        return
    bits = np.random.default_rng(seed).integers(0, 2, (2, 3, simd), dtype=np.uint8)
    assert np.array_equal(decode(encode(bits, structure), simd, structure), bits)


def test_block_ram_width_is_met() -> None:
    """64 columns make words of 72 bits, 32 make 36: what block RAM has."""
    assert word_positions(64) == 72
    assert word_positions(32) == 36


def test_wrong_parity_is_found() -> None:
    word = encode(np.ones(64, dtype=np.uint8))
    word[70] ^= 1
    with pytest.raises(ConfigError, match="contradict"):
        decode(word, 64)
    with pytest.raises(ConfigError, match="words of 71 bits"):
        decode(word[:71], 64)
    with pytest.raises(ConfigError, match="allowed: auto, plain, shared_parity"):
        encode(word, "other")


@given(simd=st.integers(3, 1000))
def test_size_conserves_the_sum(simd: int) -> None:
    """No stage loses weight: a heap of all ones is worth at least simd, and the last one fits the chains."""
    size = popcount_size(simd)
    assert size.majorities == (simd - size.products) // 2 == sum(n // 3 for n in level_sizes(simd)[:-1])
    assert sum(height << c for c, height in enumerate(size.heaps[0])) == simd
    for before, after in zip(size.heaps, size.heaps[1:], strict=False):
        assert sum(after) < sum(before)
        # A counter turns six ones into the number six, a heap full of ones into one worth seven a counter.
        assert sum(h << c for c, h in enumerate(after)) >= sum(h << c for c, h in enumerate(before))
    last = size.heaps[-1]
    assert last[1] <= 7
    assert max(last[2:], default=0) <= 6


@settings(deadline=None)
@given(data=st.data())
def test_memory_lines_hold_the_matrix(data: st.DataObject) -> None:
    pe, simd = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 40))
    rows, cols = pe * data.draw(st.integers(1, 4)), simd * data.draw(st.integers(1, 4))
    weights = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1))).choice([-1, 1], (rows, cols))
    memory = pack_weights(weights, pe=pe, simd=simd)
    assert memory.width == pe * word_positions(simd)
    assert len(memory.words) == rows // pe * (cols // simd)
    # The promised address and bit of a weight that is stored as it is: column 0 of each beat.
    row, fold = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, cols // simd - 1))
    line = memory.words[row // pe * (cols // simd) + fold]
    assert 2 * ((line >> (row % pe)) & 1) - 1 == weights[row, fold * simd]
    back = unpack_weights(memory.words, rows=rows, cols=cols, pe=pe, simd=simd)
    assert np.array_equal(back, weights)


def test_user_mistakes_are_named() -> None:
    weights = np.ones((4, 8), dtype=np.int8)
    with pytest.raises(FoldingError, match=r"pe=3 does not divide 4 rows; allowed: \[1, 2, 4\]"):
        pack_weights(weights, pe=3, simd=8)
    with pytest.raises(FoldingError, match="simd=5 does not divide 8 columns"):
        BinaryMVAU(tokens=1, cols=8, rows=4, simd=5, pe=1)
    with pytest.raises(ConfigError, match="-1 and"):
        pack_weights(weights * 2, pe=2, simd=8)
    with pytest.raises(ConfigError, match="3 memory lines"):
        unpack_weights([0, 0, 0], rows=4, cols=8, pe=2, simd=8)
    with pytest.raises(ConfigError, match="tokens=0"):
        BinaryMVAU(tokens=0, cols=8, rows=4, simd=8, pe=1)
    with pytest.raises(FoldingError, match="use_bram=2"):
        BinaryMVAU(tokens=1, cols=8, rows=4, simd=8, pe=1, use_bram=2)
    with pytest.raises(ConfigError, match="primitives=3; allowed: 0, 1, 2"):
        BinaryMVAU(tokens=1, cols=8, rows=4, simd=8, pe=1, primitives=3)
    op = BinaryMVAU(tokens=1, cols=8, rows=4, simd=8, pe=1)
    with pytest.raises(ConfigError, match="given parameters"):
        op.check_params({})
    with pytest.raises(ConfigError, match=r"allowed: \(4, 8\)"):
        op.check_params({"weights": weights.T})
    with pytest.raises(ConfigError, match="other values"):
        op.check_params({"weights": weights * 0})


def test_golden_is_the_dot_product() -> None:
    rng = np.random.default_rng(5)
    op = BinaryMVAU(tokens=3, cols=10, rows=4, simd=5, pe=2)
    weights, frame = rng.choice([-1, 1], (4, 10)), rng.integers(0, 2, (3, 10))
    (result,) = op.golden({"weights": weights}, frame)
    for t in range(3):
        for r in range(4):
            assert result[t, r] == sum(int(w) * (1 if bit else -1) for w, bit in zip(weights[r], frame[t], strict=True))
    assert result.dtype == np.int64


def test_foldings_are_legal_and_slowest_first() -> None:
    op = BinaryMVAU(tokens=2, cols=12, rows=8, simd=1, pe=1)
    cycles = [folded.cycles for folded in op.foldings()]
    assert cycles == sorted(cycles, reverse=True)
    assert cycles[0] == 2 * 96
    assert cycles[-1] == 2
    assert len(set(op.foldings())) == len(cycles)


@pytest.mark.parametrize("primitives", [1, 2])
@pytest.mark.parametrize("simd", [1, 2, 3, 6, 8, 12, 16, 24, 48, 96])
def test_primitives_only_where_they_are_built(simd: int, primitives: int) -> None:
    """Below the shared-parity structure nothing changes; from there on less area, other files, the same memory."""
    portable = BinaryMVAU(tokens=1, cols=96, rows=8, simd=simd, pe=4)
    cells = portable.fold(primitives=primitives)
    params = {"weights": np.random.default_rng(2).choice([-1, 1], (8, 96))}
    before, after = portable.rtl(params), cells.rtl(params)
    assert (portable.primitives, portable.cell_models, portable.sources) == (0, (), BinaryMVAU.rtl_sources)
    assert before.memories == after.memories
    assert cells.cycles == portable.cycles
    if is_shared(simd):
        assert after.parameters == {**before.parameters, "USE_PRIMITIVES": primitives}
        assert cells.cell_models == {1: PRIMITIVE_MODELS, 2: ULTRASCALE_MODELS}[primitives]
        assert cells.sources == (*PRIMITIVE_SOURCES, *portable.sources)
        assert cells.resources().lut < portable.resources().lut
        assert cells.resources().ff < portable.resources().ff
    else:
        assert after.parameters == before.parameters
        assert (cells.cell_models, cells.sources) == ((), portable.sources)
        assert cells.resources() == portable.resources()


def test_primitives_survive_the_graph_node() -> None:
    op = BinaryMVAU(tokens=1, cols=8, rows=4, simd=8, pe=1, primitives=1)
    node = make_hw_node("m", op, ["x"], ["y"], [("weights", "w")], {"x": (1, 1, 1, 8), "y": (1, 1, 1, 4)})
    assert op_of(node) == op
    older = {key: value for key, value in op.attributes().items() if key != "primitives"}
    assert from_attributes("BinaryMVAU", older) == op.fold(primitives=0)


def test_the_count_is_kept_by_script_and_rule() -> None:
    """A kept count must not outlive the synthesis script or the counting rule that it comes from."""
    job = synthesis_job(BinaryMVAU(tokens=1, cols=8, rows=4, simd=8, pe=1))
    keys = {job.key(XC7), job.key(XCUP)}
    keys.add(job.key(dataclasses.replace(XC7, synthesis=XC7.synthesis + "; opt_clean")))
    counted = dataclasses.replace(XC7.cells, lut={**XC7.cells.lut, "LUT6_2": 2})
    keys.add(job.key(dataclasses.replace(XC7, cells=counted)))
    assert len(keys) == 4


def synthesis_job(op: BinaryMVAU) -> SynthJob:
    """Yosys job of ``op`` with random weights."""
    weights = np.random.default_rng(1).choice([-1, 1], (op.rows, op.cols))
    return job_of(f"primitives={op.primitives}", op, {"weights": weights})


def check_luts(op: BinaryMVAU, tmp_path: Path, portable: float, primitives: float) -> None:
    """LUTs a product and cycle stay below the limits, and the models near the counts."""
    cells = op.fold(primitives=1)
    jobs = [synthesis_job(op), synthesis_job(cells)]
    counts = synthesize(jobs, target=XC7, work=tmp_path / ODD / "w", cache=tmp_path / ODD, processes=2)
    products = op.pe * op.simd
    assert counts["primitives=0"].lut <= portable * products
    assert counts["primitives=1"].lut <= primitives * products
    assert op.resources().lut == pytest.approx(counts["primitives=0"].lut, rel=0.15)
    assert cells.resources().lut == pytest.approx(counts["primitives=1"].lut, rel=0.10)
    assert cells.resources().ff == pytest.approx(counts["primitives=1"].ff, rel=0.15)
    assert op.resources().bram18 == counts["primitives=0"].bram18 == counts["primitives=1"].bram18
    assert cells.resources().bram18 == op.resources().bram18


def test_yosys_counts_small(tmp_path: Path) -> None:
    check_luts(BinaryMVAU(tokens=1, cols=64, rows=64, simd=32, pe=8), tmp_path, 2.0, 1.6)


def test_yosys_counts_weights_in_luts(tmp_path: Path) -> None:
    """The registers behind such a table are counted, and its LUTs: half again what the products take."""
    check_luts(BinaryMVAU(tokens=1, cols=128, rows=128, simd=32, pe=8, use_bram=0), tmp_path, 3.0, 2.9)


@pytest.mark.slow
def test_yosys_counts_full(tmp_path: Path) -> None:
    """The measure of this unit: 512 x 512, SIMD 64, PE 32."""
    check_luts(BinaryMVAU(tokens=1, cols=512, rows=512, simd=64, pe=32), tmp_path, 1.5, 1.1)
