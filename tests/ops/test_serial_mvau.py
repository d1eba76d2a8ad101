"""The serial form of IntMVAU: its tables, and which foldings there are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.errors import FoldingError
from bvit_hw.ops.int_mvau import IntMVAU
from tests.ops.test_int_mvau import STEM


@given(
    cols=st.integers(1, 13), pe=st.integers(1, 2), phases=st.integers(1, 5), weight_bits=st.integers(2, 8),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_serial_tables_add_up(cols: int, pe: int, phases: int, weight_bits: int, seed: int) -> None:
    """For any bits of the columns the tables of a row sum up to its weights that they select."""
    in_bits = 2
    rng = np.random.default_rng(seed)
    weights = rng.integers(-(1 << weight_bits - 1), 1 << weight_bits - 1, (pe * in_bits * phases, cols))
    op = IntMVAU(
        tokens=1, cols=cols, rows=len(weights), in_bits=in_bits, weight_bits=weight_bits, acc_bits=16, simd=cols, pe=pe,
        use_dsp=0, serial=1,
    )  # fmt: skip
    assert op.serial_unit.phases == phases and op.cycles == in_bits * phases
    instance = op.rtl({"weights": weights})
    sum_bits, table_bits = int(instance.parameters["SUM_BITS"]), int(instance.parameters["TABLE_BITS"])
    together, stage_cols = pe * in_bits, int(instance.parameters["COLS_A_STAGE"])
    stages = -(-cols // stage_cols)
    memory = instance.memories["TABLE_FILE"]
    assert memory.width == together * (sum_bits + (stages - 1) * table_bits)
    words = list(reversed(memory.words))
    chosen = rng.integers(0, 2, cols)
    for row, wanted in enumerate((weights @ chosen).tolist()):
        phase, lane = divmod(row, together)
        total = 0
        for stage in range(stages):
            bits = chosen[stage * stage_cols : (stage + 1) * stage_cols]
            word = words[phase << stage_cols | sum(int(b) << i for i, b in enumerate(bits))]
            if stage == 0:
                total += word >> lane * sum_bits & (1 << sum_bits) - 1
            else:
                at = together * (sum_bits + (stage - 1) * table_bits) + lane * table_bits
                total -= (word >> at & (1 << table_bits) - 1) - (1 << table_bits)
        assert (total - wanted) % (1 << sum_bits) == 0
        assert -(1 << sum_bits - 1) <= wanted < 1 << sum_bits - 1


def test_serial_foldings() -> None:
    """One for each number of phases that leaves a table inputs, if the rows allow; the others say why not."""
    stem = IntMVAU(tokens=64, cols=48, rows=32, in_bits=8, acc_bits=19, use_dsp=0)
    serial = {f.cycles: f for f in stem.foldings() if f.serial}
    assert {cycles: f.pe for cycles, f in serial.items()} == {512: 4, 1024: 2, 2048: 1}
    assert all(f.resources().dsp == 0 and f.resources().lut < 4000 for f in serial.values())
    assert not [f for f in STEM.foldings() if f.serial]
    for fields, message in (
        ({"use_dsp": 1}, "with use_dsp=0"),
        ({"pe": 8}, r"allowed: pe \[1, 2, 4\]"),
        ({"pe": 4, "simd": 2}, "24 beats of a token take longer than its 8 cycles"),
        ({"rows": 8 * 17, "simd": 48}, "17 phases a token; allowed: up to 16"),
        ({"rows": 30}, "allowed: pe none"),
        ({"cols": 768, "pe": 4, "simd": 96}, "pe=4 and cols=768 takes 1232 tables; allowed: up to 512"),
    ):
        with pytest.raises(FoldingError, match=message):
            replace(stem, **{"serial": 1, "simd": 6, **fields})
    # DeiT's patches of 16 x 16 x 3: each table would read a file of all of them.
    assert not [f for f in replace(stem, cols=768).foldings() if f.serial]
