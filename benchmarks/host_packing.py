"""Throughput of the driver's pre-processing on one core: bytes of frames made and copied into a DMA buffer a second.

Run: python benchmarks/host_packing.py [--seconds S]. Writes a Markdown table for docs/runtime.md.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from datetime import date

# One core: before NumPy is loaded.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import numpy as np
from machine import processor

from bvit_hw.runtime.images import pack, prepare
from bvit_hw.runtime.model_info import ModelInfo
from bvit_hw.runtime.registers import VERSION_VALUE


def info(side: int) -> ModelInfo:
    """A model of side x side pixels."""
    return ModelInfo("0" * 64, side, side, 3, 10, 0, ("",) * 10, 100.0, VERSION_VALUE, 1, "none")


def rate(call: Callable[[], int], seconds: float) -> float:
    """Best of several rounds, in bytes of frames a second of this process's own time."""
    best, end = 0.0, time.monotonic() + seconds
    while time.monotonic() < end or best == 0.0:
        start, moved = time.process_time(), 0
        while time.process_time() - start < 0.05:
            moved += call()
        best = max(best, moved / (time.process_time() - start))
    return best


def cases(side: int, count: int) -> dict[str, Callable[[], int]]:
    """What is measured, by name; each call makes ``count`` frames and returns their bytes."""
    model = info(side)
    rng = np.random.default_rng(1)
    frames = rng.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    planes = np.ascontiguousarray(frames.transpose(0, 3, 1, 2))
    reals = (frames / 255).astype(np.float32)
    large = rng.integers(0, 256, (count, 2 * side, 2 * side, 3), dtype=np.uint8)
    buffer = np.zeros(frames.nbytes, np.uint8)
    return {
        "pack: uint8, channels last": lambda: pack(frames, buffer),
        "pack: uint8, every second image": lambda: pack(np.broadcast_to(frames, frames.shape)[::2], buffer),
        "pack: uint8, channels first": lambda: pack(planes.transpose(0, 2, 3, 1), buffer),
        "prepare and pack: float32 in 0..1": lambda: pack(prepare(reals, model), buffer),
        "prepare and pack: uint8, resized from twice the size": lambda: pack(prepare(large, model), buffer),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=1.0, help="for each figure")
    seconds = parser.parse_args().seconds
    print(f"{date.today()}, {processor()}, NumPy {np.__version__}, one core; GB/s of frames\n")
    sizes = ((32, 2048), (224, 42))
    found = {side: {name: rate(call, seconds) for name, call in cases(side, count).items()} for side, count in sizes}
    print("| | " + " | ".join(f"{side} x {side}, {count} a call" for side, count in sizes) + " |")
    print("|---|" + "---|" * len(sizes))
    for name in found[sizes[0][0]]:
        print(f"| {name} | " + " | ".join(f"{found[side][name] / 1e9:.2f}" for side, _ in sizes) + " |")


if __name__ == "__main__":
    main()
