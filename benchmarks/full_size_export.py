"""Exports a full-size network to QONNX and executes it in qonnx for one image, compared with frozen PyTorch.

Prints one JSON line: file size, seconds of each part, peak memory of this process, and the number of named tensors
compared; exits with 1 if one of them differs. Weights and image are random unless a checkpoint is given.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import torch
from machine import processor

from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import freeze, random_frozen, random_images
from bvit_hw.models import load_checkpoint
from bvit_hw.qonnx import execute_qonnx, export_qonnx, load_qonnx


@click.command()
@click.option("--preset", default="small-224", show_default=True)
@click.option("--checkpoint", type=click.Path(dir_okay=False, path_type=Path), help="Instead of random weights.")
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True, help="Of PyTorch; qonnx decides for itself.")
def main(preset: str, checkpoint: Path | None, seed: int, threads: int) -> None:
    """Export, read back, execute, compare."""
    torch.set_num_threads(threads)
    if checkpoint is None:
        graph, images = random_frozen(preset, seed), random_images(preset, 1, seed)
    else:
        model = load_checkpoint(checkpoint)
        graph, images = freeze(model), random_images(model.config, 1, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        start = time.monotonic()
        export_qonnx(graph, path)
        exported = time.monotonic()
        loaded = load_qonnx(path)
        read = time.monotonic()
        values = execute_qonnx(loaded, images)
        executed = time.monotonic()
        megabytes = path.stat().st_size / 1e6
    expected = FrozenBinaryViT(graph).trace(torch.from_numpy(images))
    assert values.keys() == expected.keys(), values.keys() ^ expected.keys()
    different = [name for name, tensor in expected.items() if not np.array_equal(values[name], tensor.numpy())]
    line = {
        "preset": preset if checkpoint is None else str(checkpoint),
        "nodes": len(loaded.graph.node),
        "file_mb": round(megabytes, 1),
        "export_s": round(exported - start, 1),
        "load_s": round(read - exported, 1),
        "execute_s": round(executed - read, 1),
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "tensors_compared": len(expected),
        "different": different,
        "processor": processor(),
    }
    click.echo(json.dumps(line))
    sys.exit(1 if different else 0)


if __name__ == "__main__":
    main()
