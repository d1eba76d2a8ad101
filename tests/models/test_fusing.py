"""Steps that are compiled: the same values as operator by operator, and none where there is no compiler."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from bvit_hw.models import BinaryViT
from bvit_hw.models import fusing as f
from tests.models.test_elementwise import CONFIG


def test_a_kernel_is_compiled_within_fusing_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr(f, "_for_cpu", lambda function, threads: lambda x: seen.append(f"{threads}") or function(x))
    monkeypatch.setattr(f, "_for_gpu", lambda function: lambda x: seen.append("gpu") or function(x))
    step = f.kernel(lambda x: x + 1)
    step(1)
    with f.fusing():
        assert f.fuses() and f.fuses_on_cpu(torch.ones(1)) and step(1) == 2
        with f.fusing("cuda"):
            step(1)
        with f.fusing(compiled=False):
            step(1)
        step(1)
    assert not f.fuses() and step(1) == 2
    assert seen == [str(torch.get_num_threads()), "gpu", str(torch.get_num_threads())]


def test_without_a_compiler_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch._inductor.config as inductor

    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(inductor.cpp, "cxx", (str(tmp_path / "no-compiler"),))

    @f.kernel
    def another(x: Tensor) -> Tensor:
        return x * 3 - 1

    monkeypatch.setattr(f, "_probe", another)
    fault = f.compiler_fault()
    assert fault is not None and ("no-compiler" in fault or "C++" in fault or "compiler" in fault.lower()), fault
    assert not f.fuses() and torch.equal(another(torch.ones(2)), torch.full((2,), 2.0))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float", "quant"])
def test_a_compiled_network_trains_as_it_does_uncompiled(mode: str) -> None:
    torch.manual_seed(0)
    model = BinaryViT(CONFIG)
    images, labels = torch.randn(8, 3, 16, 16), torch.arange(8) % 5
    if mode == "quant":
        model.calibrate([images])
    model.set_mode(mode).train().double()  # type: ignore[arg-type]
    found = []
    for compiled in (False, True):
        model.zero_grad()
        with f.fusing(compiled=compiled):
            loss = F.cross_entropy(model(images.double()), labels)
            loss.backward()
        found.append((loss.item(), {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}))
    (loss, plain), (fused_loss, mine) = found
    assert loss == pytest.approx(fused_loss, rel=1e-12)
    scale = max(float(g.norm()) for g in plain.values())
    assert all(float((plain[name] - mine[name]).norm()) < 1e-10 * scale for name in plain)
