"""Images a second of one network in its forms, on the same images in one run.

float: BinaryViT with a float residual stream in PyTorch; qat: with quantized activations; frozen: integers in PyTorch;
packed: integers with bits packed (CPU only); fused: integers through generated kernels (GPU only), beside the float
model compiled. Rounds alternate between the forms; medians, and ratios to float.
"""

from __future__ import annotations

import copy
import json
import statistics
import time
from collections.abc import Callable

import click
import numpy as np
import torch
from machine import processor

from bvit_hw.data import normalize
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.execute.fused import FusedBinaryViT
from bvit_hw.execute.packed import PackedBinaryViT
from bvit_hw.freeze import freeze, random_images
from bvit_hw.models import BinaryViT, preset


def timed(run: Callable[[], object], device: torch.device) -> float:
    """Seconds of one call, the device's work included."""
    start = time.perf_counter()
    run()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


@click.command()
@click.option("--preset", "name", default="small-224", show_default=True)
@click.option("--batch", default=8, show_default=True)
@click.option("--rounds", default=5, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--device", "device_name", default="cpu", show_default=True)
@torch.no_grad()
def main(name: str, batch: int, rounds: int, threads: int, device_name: str) -> None:
    """Measure, and print one JSON line."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    device, config = torch.device(device_name), preset(name)
    images = random_images(config, batch)
    pixels = normalize(images, config.mean, config.std)
    qat = BinaryViT(config)
    qat.train()
    few = pixels[:8]  # a CPU computes them
    qat(few)  # norms that fit the activations
    qat = qat.eval().calibrate([few])
    graph = freeze(qat)
    float_model = BinaryViT(config).eval()
    float_model.load_state_dict(qat.state_dict(), strict=False)
    on_device, bytes_on_device = pixels.to(device), torch.from_numpy(images).to(device)
    qat, float_model, frozen = qat.to(device), float_model.to(device), FrozenBinaryViT(graph).to(device)
    forms: dict[str, Callable[[], object]] = {
        "float": lambda: float_model(on_device),
        "qat": lambda: qat(on_device),
        "frozen": lambda: frozen(bytes_on_device),
    }
    expected = frozen(bytes_on_device).cpu().numpy()
    if device.type == "cuda":
        fused = FusedBinaryViT(graph).to(device)
        assert np.array_equal(fused(bytes_on_device).cpu().numpy(), expected)
        compiled = copy.deepcopy(float_model)
        for part in (*compiled.blocks, *compiled.merges):  # as they are trained; the whole would compile for long
            part.compile()
        forms |= {"float, compiled": lambda: compiled(on_device), "frozen, fused": lambda: fused(bytes_on_device)}
    if device.type == "cpu":
        packed = PackedBinaryViT(graph, threads)
        assert np.array_equal(packed.logits(images, batch), expected)
        forms["packed"] = lambda: packed.logits(images, batch)
    seconds: dict[str, list[float]] = {form: [] for form in forms}
    for run in forms.values():
        timed(run, device)
    for _ in range(rounds):
        for form, run in forms.items():
            seconds[form].append(timed(run, device))
    rate = {form: batch / statistics.median(values) for form, values in seconds.items()}
    line = {
        "preset": name,
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else processor(),
        "threads": threads,
        "batch": batch,
        "rounds": rounds,
        "images_per_second": {form: round(value, 2) for form, value in rate.items()},
        "ratio_to_float": {form: round(value / rate["float"], 2) for form, value in rate.items()},
    }
    click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
