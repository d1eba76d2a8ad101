"""What is searched for, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bvit_hw.errors import ConfigError
from bvit_hw.explore.hardware import Point
from bvit_hw.models.cost import NetworkCost


@dataclass(frozen=True)
class Measured:
    """What is known of a trial when its objectives are asked for."""

    point: Point
    cost: NetworkCost
    accuracy: float | None = None


@dataclass(frozen=True)
class Objective:
    """One direction of the search; ``title`` says what it is, a proxy that it is one."""

    name: str
    direction: Literal["maximize", "minimize"]
    title: str
    value: Callable[[Measured], float]
    trains: bool = False


def _accuracy(measured: Measured) -> float:
    assert measured.accuracy is not None, "a trial trains before its accuracy is asked for"
    return measured.accuracy


OBJECTIVES = {
    objective.name: objective
    for objective in (
        Objective("accuracy", "maximize", "accuracy on the test images", _accuracy, trains=True),
        Objective("rate", "maximize", "frames/s at the assumed clock", lambda m: m.point.rate),
        Objective("lut", "minimize", "LUT by the cost model", lambda m: m.point.lut),
        Objective("ff", "minimize", "flip-flops by the cost model", lambda m: m.point.ff),
        Objective("bram18", "minimize", "block RAMs of 18 Kbit by the cost model", lambda m: m.point.bram18),
        Objective("dsp", "minimize", "DSP by the cost model", lambda m: m.point.dsp),
        Objective(
            "area_time", "minimize", "LUT seconds a frame (a proxy for energy)", lambda m: m.point.lut / m.point.rate
        ),
        Objective(
            "binary_macs", "maximize", "binary MACs a frame (a zero-cost proxy for accuracy)",
            lambda m: float(m.cost.binary_macs),
        ),
    )
}  # fmt: skip


def chosen_objectives(words: str) -> tuple[Objective, ...]:
    """Those that the comma-separated ``words`` name; raises :class:`ConfigError`."""
    names = [word.strip() for word in words.split(",")]
    for name in names:
        if name not in OBJECTIVES:
            raise ConfigError(f"--objective {name!r} is unknown; allowed: {', '.join(OBJECTIVES)}")
    if len(set(names)) < len(names) or len(names) < 2:
        raise ConfigError(f"--objective {words}: two or more are needed, each once; allowed: {', '.join(OBJECTIVES)}")
    return tuple(OBJECTIVES[name] for name in names)


def dominates(one: Sequence[float], other: Sequence[float], objectives: Sequence[Objective]) -> bool:
    """Whether ``one`` is nowhere worse and somewhere better."""
    signs = [1 if objective.direction == "maximize" else -1 for objective in objectives]
    better = [sign * (a - b) for sign, a, b in zip(signs, one, other, strict=True)]
    return min(better) >= 0 and max(better) > 0
