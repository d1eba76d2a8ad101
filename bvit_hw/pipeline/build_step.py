"""What every module of steps/ declares: one step of a build, by its name, and what it depends on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions


@dataclass(frozen=True, kw_only=True)
class BuildStep:
    """A step before its options are known; plan.py makes the engine's step of it.

    ``run`` writes files into ``context.folder`` and gives JSON-ready results. It runs again when one of these changed:
    ``inputs``; the text of ``code`` (in the package), of ``data`` (folders beside the package, see resources.py) or of
    its own module; a step named in ``after``. ``needs`` and ``may_need`` are tools, as in
    the engine's step.
    """

    name: str
    title: str
    run: Callable[[StepContext, Artefacts], Mapping[str, Any]]
    after: tuple[str, ...] = ()
    inputs: Callable[[BuildOptions], Mapping[str, Any]] = lambda options: {}
    code: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    needs: Callable[[BuildOptions], tuple[str, ...]] = lambda options: ()
    may_need: Callable[[BuildOptions], tuple[str, ...]] = lambda options: ()
    #: a step that this one is left out with, where --skip names that
    goes_with: str = ""
    #: whether a build with these options has the step at all
    wanted: Callable[[BuildOptions], bool] = lambda options: True


def write_json(path: Path, data: object) -> None:
    """Write ``data`` as indented JSON (the step's folder is still under its temporary name)."""
    path.write_text(json.dumps(data, indent=1) + "\n")
