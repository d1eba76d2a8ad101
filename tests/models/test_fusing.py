"""Steps that are compiled: within a context alone."""

from __future__ import annotations

import pytest

from bvit_hw.models import fusing as f


def test_a_kernel_is_compiled_within_fusing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(f, "_for_gpu", lambda function: lambda x: seen.append("gpu") or function(x))
    step = f.kernel(lambda x: x + 1)
    step(1)
    with f.fusing():
        assert f.fuses() and step(1) == 2
        with f.fusing(compiled=False):
            step(1)
        step(1)
    assert not f.fuses() and step(1) == 2
    assert seen == ["gpu", "gpu"]
