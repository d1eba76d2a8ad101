"""A training step's parts on a CPU as few passes over memory: kernels in C++, gradients written out.

Signs are bytes and their products integers, as on the board: exact. What a norm needs of these are sums of integers.
Where gradients are multiplied in bfloat16, they are rounded before a product and after it; signs lose nothing, and
sums inside a product are float32.

Activations are B x N x C.
"""

from bvit_hw.models.cpu_steps.library import FLAGS, SOURCE, StepKernels, active, using
from bvit_hw.models.cpu_steps.steps import (
    affine_onto,
    moved_signs,
    norm_of,
    pool_affines,
    pool_grid,
    rprelu_of_norm,
    upsampled_onto,
)
from bvit_hw.models.cpu_steps.units import binary_unit, serves

__all__ = [
    "FLAGS", "SOURCE", "StepKernels", "active", "affine_onto", "binary_unit", "moved_signs", "norm_of", "pool_affines",
    "pool_grid", "rprelu_of_norm", "serves", "upsampled_onto", "using",
]  # fmt: skip
