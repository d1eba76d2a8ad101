"""All that is generated of an accelerator: a kernel, or one for each die, with their cores and memories."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bvit_hw.codegen.accelerator import Accelerator, Kernel, accelerator
from bvit_hw.codegen.die_kernels import LINKED, die_kernels, linked
from bvit_hw.codegen.stitch import Stitched, stitch
from bvit_hw.disk import write_aside
from bvit_hw.graph.border import Border
from bvit_hw.graph.dies import kernels
from bvit_hw.graph.hw_graph import HwGraph


@dataclass(frozen=True, kw_only=True)
class Design:
    """The kernels in order, each with its core; the first has pixels, logits and registers."""

    first: Accelerator
    others: tuple[Kernel, ...]
    cores: tuple[Stitched, ...]

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """All kernels, the first one first."""
        return (self.first, *self.others)

    @property
    def library(self) -> tuple[str, ...]:
        """Files of rtl/ that the kernels need, each once, in compile order."""
        return tuple(dict.fromkeys(name for kernel in self.kernels for name in kernel.library))

    @property
    def cell_models(self) -> tuple[str, ...]:
        """Files of rtl/ that only simulation and lint read, before all others."""
        return tuple(dict.fromkeys(name for kernel in self.kernels for name in kernel.cell_models))

    @property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """File names of each kernel in compile order, its own top last, by the kernel's module."""
        return {
            kernel.module: (*kernel.library, f"{core.module}.sv", f"{kernel.module}.v")
            for kernel, core in zip(self.kernels, self.cores, strict=True)
        }

    @property
    def simulated_top(self) -> str:
        """The module to simulate: the kernel, or all of them connected."""
        return LINKED if self.others else self.first.module

    def write(self, rtl: Path, memories: Path) -> None:
        """Write what is generated of each kernel into ``rtl``, and the contents of memories."""
        for core in self.cores:
            core.write(rtl, memories)
        for kernel in self.kernels:
            kernel.write(rtl)

    def write_linked(self, folder: Path) -> list[Path]:
        """Write the module that connects several kernels into ``folder``; nothing where there is but one."""
        if not self.others:
            return []
        path = folder / f"{LINKED}.v"
        write_aside(path, linked(self.first, self.others))
        return [path]


def design(
    graph: HwGraph,
    *,
    name: str,
    model_hash: str,
    image: tuple[int, int, int],
    border: Border,
    logits_exponent: int,
) -> Design:
    """What is generated of ``graph``, stitched and perhaps cut (:mod:`bvit_hw.graph.dies`).

    The other arguments, and what is raised, are those of :func:`bvit_hw.codegen.accelerator.accelerator`.
    """
    parts = kernels(graph)
    cores = [stitch(_inside(part)) for part in parts]
    first = accelerator(
        cores[0],
        name=name,
        model_hash=model_hash,
        image=image,
        border=border,
        logits_exponent=logits_exponent,
        goes_on=len(parts) > 1,
    )
    return Design(first=first, others=tuple(die_kernels(first, cores)), cores=tuple(cores))


def _inside(kernel: HwGraph) -> HwGraph:
    """A kernel's core: without the register through which it is entered, which is the kernel's own."""
    node = kernel.nodes[0]
    if not node.op.is_die_border:
        return kernel
    return replace(kernel, nodes=kernel.nodes[1:], input=node.outputs[0])
