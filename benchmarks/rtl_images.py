"""Many test images through the RTL of a build: every logit compared with the frozen network's, accuracy of both.

    bvit-hw build --board pynq-z2 --preset cifar10 --target-fps 10000 --out BUILD --until generate
    python benchmarks/rtl_images.py BUILD [--data cifar10=DIR] [--images 500]

Without --data the images are generated ones, which have no labels. Ends with exit code 1 at the first logit that
differs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import processor

from bvit_hw.contract.file import load_frozen
from bvit_hw.data.choice import spread_classes
from bvit_hw.data.labelled import LabelledImages, accuracy_of, generated_images, load_images
from bvit_hw.errors import BvitError
from bvit_hw.execute.packed import PackedBinaryViT
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.graph.fifo_sizing import check_logits
from bvit_hw.graph.file import load_graph
from bvit_hw.network_file import network_config, network_record
from bvit_hw.pipeline.artefacts import GRAPH_FILE


@dataclass(frozen=True)
class Compared:
    """What a run found; accuracies are None without labels. ``seconds`` are those of the simulation, started anew for
    each part of the images, which costs ``cycles`` a little.
    """

    images: int
    rtl_accuracy: float | None
    frozen_accuracy: float | None
    cycles_per_frame: float
    cycles: int
    seconds: float


def images_for(build: Path, data: str | None, count: int) -> LabelledImages:
    """``count`` test images of ``data`` (all of them: 0), of all classes in turn; generated ones without ``data``."""
    path = build / "checkpoint/checkpoint.safetensors"
    config = network_config(path)
    if data is None:
        return generated_images(config, count or 500)
    found = load_images(data, config, network_record(path))
    assert found.labels is not None
    order = spread_classes(found.labels)[: count or None]
    return LabelledImages(found.source, found.images[order], found.labels[order], found.class_names, found.notes)


def compare(
    build: Path, data: LabelledImages, *, part: int = 100, tell: Callable[[str], None] = lambda text: None
) -> Compared:
    """Send ``data`` through the RTL of ``build``, ``part`` images at a time; LoweringError at a logit that differs."""
    graph = load_graph(build / "generate" / GRAPH_FILE)
    frozen = PackedBinaryViT(load_frozen(build / "freeze/frozen.safetensors"))
    simulate, found, expected, intervals, cycles, seconds = CoreSimulator(), [], [], [], 0, 0.0
    for start in range(0, len(data.images), part):
        images = data.images[start : start + part]
        wanted = frozen.logits(images).astype(np.int64)
        begin = time.monotonic()
        run = simulate(graph, images, frames=len(images))
        seconds += time.monotonic() - begin
        check_logits(run, wanted)
        cycles += run.ends[-1] - run.starts[0]
        intervals.append(run.cycles_per_frame)
        found.append(run.logits)
        expected.append(wanted)
        tell(f"{start + len(images)} of {len(data.images)} images equal, {seconds:.0f} s")
    rtl, integers = (np.concatenate(logits).argmax(axis=1) for logits in (found, expected))
    right, expected_right = accuracy_of(rtl, data.labels), accuracy_of(integers, data.labels)
    return Compared(len(rtl), right, expected_right, float(np.nanmean(intervals)), cycles, seconds)


def main() -> int:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path, help="folder of a build, up to the step generate or further")
    parser.add_argument("--data", help="test images as `bvit-hw build --data` takes them")
    parser.add_argument("--images", type=int, default=500, help="how many; 0: all")
    options = parser.parse_args()
    try:
        data = images_for(options.build, options.data, options.images)
        done = compare(options.build, data, tell=lambda text: print(text, flush=True))
    except BvitError as error:
        print(f"rtl_images: {error}")
        return 1
    accuracy = "no labels"
    if done.rtl_accuracy is not None and done.frozen_accuracy is not None:
        accuracy = f"accuracy RTL {done.rtl_accuracy:.2%}, frozen {done.frozen_accuracy:.2%}"
    print(
        f"{done.images} images of {data.source}: every logit equal to frozen; {accuracy}; "
        f"{done.cycles_per_frame:,.0f} cycles a frame; {done.cycles:,} cycles in {done.seconds:.0f} s "
        f"({done.cycles / done.seconds:,.0f} a second), {processor()}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
