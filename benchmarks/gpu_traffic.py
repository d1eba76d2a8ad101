"""What a training step, or a batch through a model, asks of a GPU, counted without one: kernels, bytes, memory.

Runs the variants of train_throughput.py and the forms of inference_throughput.py on a GPU that computes nothing
(tests/emulators/null_gpu): PyTorch, Inductor, Triton and ptxas do all that they would do for an H100, and kernels are
counted instead of run. Bytes are those of a kernel's tensors, each read or written once; caches can only make them
fewer. Their time at an H100's bandwidth (``bandwidth_seconds``, computed) bounds a step from below. So does the time
that the host takes to start its kernels (``host_seconds``, measured on this machine, median of 7). No GPU's speed is
measured here.

    python benchmarks/gpu_traffic.py
    python benchmarks/gpu_traffic.py --inference
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import processor
from train_throughput import VARIANTS, Step

from bvit_hw.data import normalize
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.execute.fused import FusedBinaryViT
from bvit_hw.freeze import random_frozen, random_images
from bvit_hw.models import BinaryViT, preset
from tests.emulators import null_gpu

#: bytes a second that an H100 SXM reads and writes (NVIDIA's datasheet)
BANDWIDTH = 3.35e12
FORMS = ("float", "float, compiled", "frozen", "frozen, fused")
CHOSEN = ("plain", "plain bf16", "ours", "ours bf16", "ours compiled", "ours compiled bf16")


def _bytes(tensor: Tensor) -> int:
    return min(tensor.numel() * tensor.element_size(), tensor.untyped_storage().nbytes())


def traffic(func: Any, args: Any, kwargs: dict[str, Any], result: Any) -> int:
    """Bytes that an operator reads and writes: its arguments, what it changes of them, what it returns."""
    total = 0
    for place, argument in enumerate(func._schema.arguments):
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        size = sum({t.data_ptr(): _bytes(t) for t in tree_leaves(value) if isinstance(t, Tensor)}.values())
        changed = argument.alias_info is not None and argument.alias_info.is_write
        total += size * (changed + (not argument.is_out))
    fresh = [value for value in tree_leaves(result) if isinstance(value, Tensor)]
    return total + (0 if func._schema.is_mutable else sum(map(_bytes, fresh)))


class Counting(TorchDispatchMode):
    """Counts while it is entered: bytes by operator or generated kernel, and how many of each were started."""

    def __init__(self, library: ctypes.CDLL) -> None:
        super().__init__()
        self.library = library
        self.bytes: Counter[str] = Counter()
        self.kernels: Counter[str] = Counter()

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        return True

    def started(self) -> int:
        return int(self.library.null_gpu_launches() + self.library.null_gpu_products())

    def __enter__(self) -> Counting:
        from torch._inductor.runtime.triton_heuristics import CachingAutotuner

        self._genuine = genuine = CachingAutotuner.run

        def run(kernel: Any, *args: Any, **kwargs: Any) -> Any:
            named = [(n, a) for n, a in zip(kernel.fn.arg_names, args, strict=False) if isinstance(a, Tensor)]
            name = "generated: " + kernel.fn.__name__
            self.bytes[name] += sum(_bytes(a) * (2 if n.startswith("in_out") else 1) for n, a in named)
            self.kernels[name] += 1
            return genuine(kernel, *args, **kwargs)

        CachingAutotuner.run = run
        super().__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        from torch._inductor.runtime.triton_heuristics import CachingAutotuner

        super().__exit__(*args)
        CachingAutotuner.run = self._genuine

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        before = self.started()
        result = func(*args, **kwargs)
        if started := self.started() - before:
            name = str(func.overloadpacket)
            self.bytes[name] += traffic(func, args, kwargs, result)
            self.kernels[name] += started
        return result


def _inference(form: str, network: str, batch: int) -> Callable[[], object]:
    config = preset(network)
    images = random_images(config, batch)
    if form.startswith("frozen"):
        graph, pixels = random_frozen(config), torch.from_numpy(images).cuda()
        frozen = (FusedBinaryViT if form == "frozen, fused" else FrozenBinaryViT)(graph).cuda()
        return lambda: frozen(pixels)
    model, normalized = BinaryViT(config).eval().cuda(), normalize(images, config.mean, config.std).cuda()
    if form == "float, compiled":
        for part in (*model.blocks, *model.merges):
            part.compile()
    return torch.no_grad()(lambda: model(normalized))


def count(name: str, network: str, batch: int, rows: int) -> dict[str, Any]:
    """One variant's line; called on the null GPU."""
    library = ctypes.CDLL(os.environ["LD_PRELOAD"])
    torch.backends.cuda.matmul.allow_tf32 = True
    run = Step(name, network, "cuda", batch) if name in VARIANTS else _inference(name, network, batch)
    for _ in range(2):
        run()
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    flops = None
    if not any(word in name for word in ("compiled", "fused")):
        with FlopCounterMode(display=False) as products:
            run()
        flops = round(products.get_total_flops() / 1e12, 3)
    torch.cuda.reset_peak_memory_stats()
    counting = Counting(library)
    with counting:
        run()
    moved = sum(counting.bytes.values())
    return {
        "variant": name,
        "preset": network,
        "batch": batch,
        "kernels": sum(counting.kernels.values()),
        "gigabytes": round(moved / 1e9, 1),
        "teraflops_of_products": flops,
        "bandwidth_seconds": round(moved / BANDWIDTH, 4),
        "host_seconds": round(statistics.median(seconds), 4),
        "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2),
        "most": {k[:80]: round(v / 1e9, 1) for k, v in counting.bytes.most_common(rows)},
    }


@click.command()
@click.option("--preset", "network", default="small-224", show_default=True)
@click.option("--batch", default=64, show_default=True)
@click.option("--rows", default=8, show_default=True, help="Operators named.")
@click.option("--inference", is_flag=True, help="A batch through a model's forms rather than a training step.")
@click.option(
    "--variant", "names", multiple=True, type=click.Choice([*VARIANTS, *FORMS]), help=f"{', '.join(CHOSEN)} by default."
)
def main(network: str, batch: int, rows: int, inference: bool, names: tuple[str, ...]) -> None:
    """Count, and print one JSON line a variant."""
    if "NULL_GPUS" in os.environ:
        click.echo(json.dumps(count(names[0], network, batch, rows)))
        return
    if null_gpu.missing():
        raise click.ClickException(str(null_gpu.missing()))
    first = None
    with tempfile.TemporaryDirectory() as folder:
        base, default = ("float", FORMS) if inference else ("plain", CHOSEN)
        for name in (base, *(name for name in names or default if name != base)):
            command = [sys.executable, "-W", "ignore", __file__, "--preset", network, "--batch", str(batch)]
            done = subprocess.run(
                [*command, "--rows", str(rows), "--variant", name],
                env=null_gpu.environment(Path(folder)),
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            line = json.loads(done.stdout.splitlines()[-1])
            first = first or line
            line[f"bytes_to_{base}"] = round(line["gigabytes"] / first["gigabytes"], 3)
            line |= {"host": processor(), "torch": torch.__version__, "date": time.strftime("%Y-%m-%d")}
            click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
