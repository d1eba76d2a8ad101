"""How a run's steps are computed on its device: compiled block by block, fused between products, or as they are."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from bvit_hw.errors import OutputError, ToolError
from bvit_hw.flows.native import native_library
from bvit_hw.inductor import missing_for_gpu
from bvit_hw.models import cpu_steps
from bvit_hw.models.fusing import fusing
from bvit_hw.train.recipe import Recipe

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Steps:
    """A way through a training step: the context that it is computed in, and a name; ways differ in rounding."""

    name: str
    context: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def fused(self) -> bool:
        """Whether what stands between products is fused."""
        return self.context is not nullcontext


def compiles(recipe: Recipe, device: torch.device) -> bool:
    """Whether the blocks are compiled: as the recipe says, or where it leaves that open, on GPUs that Triton serves."""
    if recipe.compile is not None or device.type != "cuda":
        return bool(recipe.compile)
    missing = missing_for_gpu(device)
    if missing:
        log.warning("the blocks are not compiled, and train more slowly; missing: %s", ", ".join(missing))
    return not missing


def steps_of(recipe: Recipe, device: torch.device) -> Steps:
    """How a step between its products is computed, as the recipe says and the device can.

    On a GPU with blocks uncompiled its steps are fused (bvit_hw.models.fusing) unless the recipe forbids it; on a CPU
    (bvit_hw.models.cpu_steps) where it asks for it, in float32, and there is a compiler.
    """
    plain = Steps("operators")
    if device.type == "cuda":
        fuses = recipe.fuse is not False and not compiles(recipe, device) and not missing_for_gpu(device)
        return Steps("fused", fusing) if fuses else plain
    if not recipe.fuse or recipe.precision != "32" or compiles(recipe, device):
        return plain
    try:
        library = native_library("steps", cpu_steps.SOURCE, cpu_steps.FLAGS)
    except (ToolError, OutputError) as error:
        log.warning("steps between products are not fused, and train more slowly: %s", error)
        return plain
    brief = torch.cpu._is_avx512_bf16_supported() if recipe.gradients is None else recipe.gradients == "bf16"
    kernels = cpu_steps.StepKernels(library, threads=torch.get_num_threads(), brief_gradients=brief)
    return Steps("fused, bf16 gradients" if brief else "fused", lambda: cpu_steps.using(kernels))
