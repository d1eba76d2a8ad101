"""The Python interface: what the commands of `bvit-hw` do, as functions (docs/reference/api.md).

What is named here, and what it returns, is kept by the rules of docs/reference/api.md; everything else in the package
may change. The command line is written on these functions, so that both do the same. A mistake of the caller's raises a
subclass of :class:`bvit_hw.errors.BvitError`; where its message names an option of the command line, it means the
keyword of the same name. Names are looked up when they are first used: importing this package does without PyTorch.

Images are uint8, N x H x W x C, channels last; logits are integers, N x classes, and times 2**exponent of the frozen
network's output they are real.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bvit_hw.api.builds import Build, build, open_build, run
    from bvit_hw.api.comparison import BuildDiff, DiffRow, diff
    from bvit_hw.api.evaluation import Evaluation, evaluate
    from bvit_hw.api.exploration import Exploration, ExploredPoint, explore
    from bvit_hw.api.hardware import Folded, Lowered, fold, lower
    from bvit_hw.api.networks import (
        Exported,
        FrozenNetwork,
        Imported,
        Network,
        export,
        freeze,
        import_checkpoint,
        load,
    )
    from bvit_hw.api.programmes import CompiledProgramme, compile_programme
    from bvit_hw.api.simulation import Comparison, Simulation, compare, simulate
    from bvit_hw.api.training import Trained, train
    from bvit_hw.evaluate import Score
    from bvit_hw.graph.first_difference import Difference
    from bvit_hw.report.model import Report
    from bvit_hw.runtime.command import Run

#: the module of each name, in this package or from the root
_WHERE = {
    "Build": "builds",
    "BuildDiff": "comparison",
    "Comparison": "simulation",
    "CompiledProgramme": "programmes",
    "DiffRow": "comparison",
    "Difference": "bvit_hw.graph.first_difference",
    "Evaluation": "evaluation",
    "Exploration": "exploration",
    "ExploredPoint": "exploration",
    "Exported": "networks",
    "Folded": "hardware",
    "FrozenNetwork": "networks",
    "Imported": "networks",
    "Lowered": "hardware",
    "Network": "networks",
    "Report": "bvit_hw.report.model",
    "Run": "bvit_hw.runtime.command",
    "Score": "bvit_hw.evaluate",
    "Simulation": "simulation",
    "Trained": "training",
    "build": "builds",
    "compare": "simulation",
    "compile_programme": "programmes",
    "diff": "comparison",
    "evaluate": "evaluation",
    "explore": "exploration",
    "export": "networks",
    "fold": "hardware",
    "freeze": "networks",
    "import_checkpoint": "networks",
    "load": "networks",
    "lower": "hardware",
    "open_build": "builds",
    "run": "builds",
    "simulate": "simulation",
    "train": "training",
}

__all__ = [
    "Build",
    "BuildDiff",
    "Comparison",
    "CompiledProgramme",
    "DiffRow",
    "Difference",
    "Evaluation",
    "Exploration",
    "ExploredPoint",
    "Exported",
    "Folded",
    "FrozenNetwork",
    "Imported",
    "Lowered",
    "Network",
    "Report",
    "Run",
    "Score",
    "Simulation",
    "Trained",
    "build",
    "compare",
    "compile_programme",
    "diff",
    "evaluate",
    "explore",
    "export",
    "fold",
    "freeze",
    "import_checkpoint",
    "load",
    "lower",
    "open_build",
    "run",
    "simulate",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    where = _WHERE[name]
    return getattr(import_module(where if "." in where else f"{__name__}.{where}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
