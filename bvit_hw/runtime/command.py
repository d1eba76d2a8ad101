"""What `bvit-hw run` and `python3 -m bvit_hw_runtime` do: classify pictures, and say what it took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .classifier import Classifier
from .package import connect, open_accelerator
from .pictures import Pictures, checked_labels, load_pictures

#: names up to this length stand in a column
_NAME = 40


@dataclass(frozen=True)
class Run:
    """Results of one run: ``logits`` int32 N x classes, ``cycles`` the device's, ``seconds`` by the clock on the wall.

    ``busy_cycles`` is what a frame takes when frames follow one another, 0 where there was only one.
    """

    pictures: Pictures
    logits: np.ndarray
    cycles: int
    busy_cycles: int
    latency_cycles: int
    seconds: float
    clock_mhz: float
    simulated: bool
    class_names: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The report, a line a picture and a summary."""
        best = self.logits.argmax(axis=1)
        # One long name does not push all others to the right.
        width = max((len(name) for name in self.pictures.names if len(name) <= _NAME), default=0)
        for name, index, logits in zip(self.pictures.names, best, self.logits, strict=True):
            yield f"{name:{width}}  {self.class_names[index]}  (logit {logits[index]}{self._margin(index, logits)})"
        count = len(self.logits)
        if count and self.logits.shape[1] > 1:
            yield "margins are differences of logits: the smaller, the less sure; they are no probabilities"
        device = "simulated device" if self.simulated else "board"
        yield f"{device}: {count} images in {self.cycles} cycles, {self.cycles * 1e-3 / self.clock_mhz:.3f} ms"
        rate = self.clock_mhz * 1e6 * count / self.cycles
        yield f"{rate:,.0f} frames/s of the device's time at {self.clock_mhz:g} MHz, transfers and driver included"
        if self.latency_cycles:
            yield f"latency of a frame: {self.latency_cycles / self.clock_mhz:,.1f} µs ({self.latency_cycles} cycles)"
        if self.busy_cycles:
            frames = self.clock_mhz * 1e6 / self.busy_cycles
            yield f"{self.busy_cycles} cycles between frames: {frames:,.0f} frames/s while the stream is full"
        yield f"{count / self.seconds:,.1f} frames/s by the clock on the wall"
        if self.pictures.labels is not None:
            right = int(np.sum(best == self.pictures.labels))
            yield f"{right} of {count} as labelled ({right / count:.2%})"
        elif self.pictures.classes is not None:
            foreign = sorted(set(self.pictures.classes) - set(self.class_names))
            more = f" and {len(foreign) - 3} more" if len(foreign) > 3 else ""
            yield f"folders that are no classes of the network: {', '.join(foreign[:3])}{more}; nothing is compared"

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw run --json` prints: a line a picture, and what the run took."""
        labels = self.pictures.labels
        rows = [
            {"name": name, "class": self.class_names[int(logits.argmax())], "logits": logits.tolist()}
            | ({} if labels is None else {"label": self.class_names[int(labels[number])]})
            for number, (name, logits) in enumerate(zip(self.pictures.names, self.logits, strict=True))
        ]
        return {
            "simulated": self.simulated,
            "clock_mhz": self.clock_mhz,
            "cycles": int(self.cycles),
            "cycles_between_frames": int(self.busy_cycles) or None,
            "latency_cycles": int(self.latency_cycles) or None,
            "seconds": self.seconds,
            "pictures": rows,
        }

    def _margin(self, index: int, logits: np.ndarray) -> str:
        """How far a picture's class stands above the next one."""
        if len(logits) < 2:
            return ""
        rest = logits.astype(np.int64)
        rest[index] = np.iinfo(np.int64).min
        second = int(rest.argmax())
        return f", {int(logits[index]) - int(logits[second])} above {self.class_names[second]}"


def run_pictures(accelerator: Classifier, pictures: Pictures) -> Run:
    """Prepare and classify ``pictures``; raises ImageError, DeviceError."""
    pictures = checked_labels(pictures, accelerator.info.class_names)
    images = accelerator.prepare(pictures)
    before = accelerator.counters()["cycles"]
    start = time.perf_counter()
    logits = accelerator.logits_int(images)
    seconds = time.perf_counter() - start
    counters = accelerator.counters()
    info = accelerator.info
    return Run(
        pictures=pictures,
        logits=logits,
        cycles=counters["cycles"] - before,
        busy_cycles=counters["cycles_per_frame"] if len(images) > 1 else 0,
        latency_cycles=counters["latency_cycles"],
        seconds=seconds,
        clock_mhz=info.clock_mhz,
        simulated=accelerator.simulated,
        class_names=info.class_names,
    )


def run_command(
    package: str | Path,
    device: str | None,
    images: str | Path | Pictures,
    batch: int | None = None,
    bitstream: str | Path | None = None,
    programme: str | Path | None = None,
) -> Run:
    """Open the package's device (or load ``bitstream``, which lies elsewhere), classify what lies at ``images``.

    ``images`` may be pictures that were read already; ``programme`` is another network for a single engine than the
    package's.
    """
    pictures = images if isinstance(images, Pictures) else load_pictures(images)
    options = {} if programme is None else {"programme": programme}
    if bitstream is None:
        opened = connect(package, device, batch=batch, **options)
    else:
        opened = open_accelerator(bitstream, Path(package) / "model.json", batch=batch, **options)
    with opened as accelerator:
        return run_pictures(accelerator, pictures)
