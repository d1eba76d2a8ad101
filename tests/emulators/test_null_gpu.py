"""The GPU paths on machines without a GPU: see tests/emulators/null_gpu."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.emulators import null_gpu

pytestmark = pytest.mark.skipif(null_gpu.missing() is not None, reason=str(null_gpu.missing()))


def on_null_gpu(folder: Path, *command: str, devices: int = 1, **variables: str) -> str:
    """What ``python command`` prints there."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *command],
        env={**null_gpu.environment(folder, devices=devices), **variables},
        cwd=null_gpu.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


def test_it_keeps_books_but_computes_nothing(tmp_path: Path) -> None:
    program = """
import pytest
import torch
from tests.emulators.null_gpu.arithmetic import HostArithmetic
x = torch.arange(12.0).reshape(3, 4)
y = x.cuda()
assert torch.equal(y.cpu(), x) and torch.cuda.memory_allocated() > 0
assert float((y + 1).sum()) == 0
with pytest.raises(RuntimeError, match="two devices"):
    y + x
with HostArithmetic() as arithmetic:
    z = (y.t() @ y).relu_() + torch.ones(4, device="cuda")
    assert z.is_cuda and torch.equal(z.cpu(), x.t() @ x + 1)
    z[:, 1] *= 2
    assert torch.equal(z.cpu()[:, 1], 2 * (x.t() @ x + 1)[:, 1])
    assert arithmetic.seen["aten::mm"] == 1
"""
    on_null_gpu(tmp_path, "-c", program)


def run_gpu_tests(folder: Path, which: str, **variables: str) -> str:
    """The last line of pytest on tests/test_gpu.py, with two GPUs and the CPU's arithmetic; nothing may be skipped."""
    command = ("-m", "pytest", "-q", "-m", which, "--basetemp", str(folder / "pytest"), "tests/test_gpu.py")
    last = on_null_gpu(folder, *command, devices=2, **variables).splitlines()[-1]
    assert " passed" in last and "skipped" not in last and "failed" not in last
    return last


def test_what_gpus_compute(tmp_path: Path) -> None:
    assert run_gpu_tests(tmp_path, "gpu and not slow").startswith("11 passed")


@pytest.mark.slow
def test_what_generated_kernels_compute(tmp_path: Path) -> None:
    """Inductor's kernels, run by Triton's interpreter: minutes."""
    assert run_gpu_tests(tmp_path, "gpu and slow", TRITON_INTERPRET="1").startswith("6 passed")


@pytest.mark.slow
@pytest.mark.parametrize("what", ["training", "inference"])
def test_compiled_for_an_h100(tmp_path: Path, what: str) -> None:
    """Triton and ptxas take what Inductor generates, and less is left to do."""
    less, more = ("ours compiled", "ours") if what == "training" else ("frozen, fused", "frozen")
    counts = {}
    for name in (less, more):
        command = ("benchmarks/gpu_traffic.py", "--preset", "tiny-digits", "--batch", "8", "--variant", name)
        counts[name] = json.loads(on_null_gpu(tmp_path, *command).splitlines()[-1])
    assert any(kernel.startswith("generated") for kernel in counts[less]["most"])
    assert counts[less]["kernels"] < 0.6 * counts[more]["kernels"]


WAITS = """
import ctypes, json, os, sys
import torch
from bvit_hw import data
from bvit_hw.data import open_data
from bvit_hw.train import Trainer
from bvit_hw.train.distributed import Processes
from tests.emulators.null_gpu.arithmetic import HostArithmetic
from tests.training_children import SHORT, some_digits

data.DATASETS["some"] = some_digits
counter = ctypes.CDLL(os.environ["LD_PRELOAD"]).null_gpu_waits
with HostArithmetic():
    trainer = Trainer(SHORT.changed(epochs=2, quant_epochs=1), open_data("some"), Processes(0, 1, torch.device("cuda")))
    counts = []
    for _ in range(2):
        while trainer.step < trainer.steps:
            before = counter()
            trainer.run_step()
            counts.append(counter() - before)
        trainer.end_epoch()
print(json.dumps(counts))
"""


def test_a_step_waits_once_for_the_gpu(tmp_path: Path) -> None:
    """Once for its loss, and for the copies of images and labels from memory that is not pinned."""
    counts = json.loads(on_null_gpu(tmp_path, "-c", WAITS))
    assert len(counts) == 8
    assert counts[1:4] == [3, 3, 3], "float"
    assert counts[5:8] == [3, 3, 3], "quantized; the first of these calibrates"
