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

_Kernel = Callable[..., Any]

#: kernels by function; None: operators one by one
_compiled: Callable[[_Kernel], _Kernel] | None = None
_fusing = False


def kernel(function: _Kernel) -> _Kernel:
    """A function of tensors that is compiled within :func:`fusing`, and computed operator by operator elsewhere."""

    @functools.wraps(function)
    def called(*arguments: Any) -> Any:
        return (function if _compiled is None else _compiled(function))(*arguments)

    return called


def fuses() -> bool:
    """Whether the network goes through such functions just now."""
    return _fusing


@cache
def _for_gpu(function: _Kernel) -> _Kernel:
    # One of each for any size; what is left to tell apart are types and layouts, a few for each function. The limit
    # goes with each function: PyTorch's configuration is a thread's own, and gradients are computed by other threads.
    return torch.compile(function, dynamic=True, fullgraph=True, recompile_limit=64)


@contextmanager
def fusing(*, compiled: bool = True) -> Iterator[None]:
    """Within it a training network goes through such functions, compiled for a GPU or as they are.

    Gradients are computed by it, too, where ``backward`` is called within it.
    """
    global _compiled, _fusing
    before = _compiled, _fusing
    _compiled, _fusing = _for_gpu if compiled else None, True
    try:
        yield
    finally:
        _compiled, _fusing = before
