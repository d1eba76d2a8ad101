"""Less than a whole build: `--until STEP` and `--skip STEP`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bvit_hw.errors import ConfigError
from bvit_hw.pipeline.engine import Step

#: the step from which on there is an accelerator to report on
REPORTED_FROM = "generate"


@dataclass(frozen=True)
class Selection:
    """The steps to run, and those left out with the option that says so, in the order of the build."""

    steps: tuple[Step, ...]
    left_out: tuple[tuple[str, str], ...]


def select(steps: Sequence[Step], until: str | None, skip: Sequence[str]) -> Selection:
    """What ``--until until`` and ``--skip name`` leave of ``steps``.

    Raises :class:`ConfigError` for a step that there is not, and for one to be skipped that a remaining one needs.
    """
    names = [step.name for step in steps]
    for option, given in [("--until", until), *(("--skip", name) for name in skip)]:
        if given is not None and given not in names:
            raise ConfigError(f"{option} {given}: there is no such step; allowed: {', '.join(names)}")
    asked = {name: name for name in skip}
    asked |= {step.name: step.goes_with for step in steps if step.goes_with in asked and step.name not in asked}
    skip = list(asked)
    end = len(steps) if until is None else names.index(until) + 1
    kept = [step for n, step in enumerate(steps) if n < end and step.name not in skip]
    for step in kept:
        needed = [name for name in step.after if name in skip]
        if needed:
            raise ConfigError(
                f"--skip {needed[0]}: {step.name} needs it; skip {step.name} too, or end before it by --until"
            )
    if not kept:
        raise ConfigError(f"--until {until}, --skip {', '.join(skip)}: no step is left to run")
    left_out = [
        (name, f"--skip {asked[name]}" if name in skip else f"--until {until}")
        for n, name in enumerate(names)
        if n >= end or name in skip
    ]
    return Selection(tuple(kept), tuple(left_out))
