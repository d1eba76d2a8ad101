"""Steps written as one function each, which PyTorch's operators compute one by one or Inductor compiles into a kernel.

A network goes through them within :func:`fusing`. A step is compiled for every size at once, when it is first called.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.fx.experimental import _config as _sizes

_Kernel = Callable[..., Any]

#: kernels by function; None: operators one by one
_compiled: Callable[[_Kernel], _Kernel] | None = None
_fusing = False

#: what Inductor is told on a CPU. Sums over rows are loops of their own, whose inputs are cheaper computed again than
#: written and read: whatever their number, nothing is kept between the loops of a kernel.
_CPU_OPTIONS = {"realize_reads_threshold": 100, "realize_opcount_threshold": 300, "realize_acc_reads_threshold": 100}


def kernel(function: _Kernel) -> _Kernel:
    """A function of tensors that is compiled within :func:`fusing`, and computed operator by operator elsewhere."""

    @functools.wraps(function)
    def called(*arguments: Any) -> Any:
        return (function if _compiled is None else _compiled(function))(*arguments)

    return called


def fuses() -> bool:
    """Whether the network goes through such functions just now."""
    return _fusing


def fuses_on_cpu(x: Tensor) -> bool:
    """The same where ``x`` lies on a CPU, for steps that are written for one."""
    return _fusing and x.device.type == "cpu"


@cache
def _for_gpu(function: _Kernel) -> _Kernel:
    # One of each for any size; what is left to tell apart are types and layouts, a few for each function. The limit
    # goes with each function: PyTorch's configuration is a thread's own, and gradients are computed by other threads.
    return torch.compile(function, dynamic=True, fullgraph=True, recompile_limit=64)


@cache
def _for_cpu(function: _Kernel, threads: int) -> _Kernel:
    # A kernel is shared out over as many threads as it was compiled for; Inductor's cache tells kernels apart by it.
    options = {**_CPU_OPTIONS, "cpp.threads": threads}
    return torch.compile(function, dynamic=True, fullgraph=True, recompile_limit=64, options=options)


@kernel
def _probe(x: Tensor) -> Tensor:
    return x * 2 + 1


def compiler_fault() -> str | None:
    """Why nothing can be compiled for a CPU here (no C++ compiler, no headers of Python, ...); None where it can."""
    try:
        with fusing():
            _probe(torch.zeros(4, 4))
    except (RuntimeError, OSError) as error:  # what Dynamo, Inductor and the compiler's start raise
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return lines[0] if lines else type(error).__name__
    return None


@contextmanager
def fusing(device: str = "cpu", *, compiled: bool = True) -> Iterator[None]:
    """Within it a training network goes through such functions, compiled for ``device`` (cpu or cuda) or as they are.

    Gradients are computed by it, too, where ``backward`` is called within it.
    """
    global _compiled, _fusing
    before = _compiled, _fusing, _sizes.use_duck_shape
    if compiled and device == "cpu":
        threads = torch.get_num_threads()
        _compiled = lambda function: _for_cpu(function, threads)  # noqa: E731
        # Sizes that happen to be equal (128 pictures, 128 channels) are no reason to compile once more.
        _sizes.use_duck_shape = False
    else:
        _compiled = _for_gpu if compiled else None
    _fusing = True
    try:
        yield
    finally:
        _compiled, _fusing, _sizes.use_duck_shape = before
