"""What holds for the fields of every operator: no shape of nothing, no negative widths, no halves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import HwOp, Stream
from bvit_hw.ops.int_mvau import IntMVAU
from tests.op_samples import OPS

NUMBERS = [
    pytest.param(op, name, id=f"{op.op_type}-{name}")
    for op in OPS
    for name, value in op.attributes().items()
    if not isinstance(value, (bool, str))
]


@pytest.mark.parametrize(("op", "name"), NUMBERS)
def test_numbers_have_a_least_value(op: HwOp, name: str) -> None:
    """One below the least is refused by name: -1, and 0 too where the field is no shift, flag or folding."""
    given = getattr(op, name)
    bad = [-1] if name in (*op.zero_fields, *op.folding_fields) else [-1, 0]
    for value in bad:
        with pytest.raises((ConfigError, FoldingError), match=f"(lanes|{name})=\\(?{value}"):
            replace(op, **{name: (value, *given[1:]) if isinstance(given, tuple) else value})


@pytest.mark.parametrize(("op", "name"), NUMBERS)
def test_numbers_are_integers(op: HwOp, name: str) -> None:
    given = getattr(op, name)
    for value in (2.5, None, "4"):
        with pytest.raises(ConfigError, match=f"{name}=.*; allowed: integers"):
            replace(op, **{name: (value, *given[1:]) if isinstance(given, tuple) else value})


@pytest.mark.parametrize(("op", "name"), NUMBERS)
def test_integers_of_numpy_are_whole_numbers(op: HwOp, name: str) -> None:
    """They have a few bits, in which a product of sizes would go round."""
    given = getattr(op, name)
    wide = tuple(map(np.uint16, given)) if isinstance(given, tuple) else np.uint16(given)
    kept = getattr(replace(op, **{name: wide}), name)
    assert kept == given
    assert all(type(value) is int for value in (kept if isinstance(kept, tuple) else (kept,)))


@pytest.mark.parametrize("name", ["tokens", "channels", "bits"])
def test_streams_of_nothing(name: str) -> None:
    shape = {"tokens": 4, "channels": 6, "lanes": 2, "bits": 3, "signed": False}
    with pytest.raises(ConfigError, match=f"stream: {name}=0; allowed: 1 or more"):
        Stream(**{**shape, name: 0})
    with pytest.raises(ConfigError, match="signed=2; allowed: 0 or 1"):
        Stream(**{**shape, "signed": 2})


def test_serial_products_want_two_bits() -> None:
    """One bit has no bit after another; the refusal says that, not that 4 rows are no multiple of 1."""
    with pytest.raises(FoldingError, match="serial with in_bits=1; allowed: 2 or more bits, or serial 0"):
        IntMVAU(tokens=4, cols=6, rows=4, in_bits=1, acc_bits=16, use_dsp=0, serial=1)
    assert IntMVAU(tokens=4, cols=6, rows=4, in_bits=1, acc_bits=16).cycles == 4 * 4 * 6
