"""The compiled kernels of kernels.cpp as they are called: by a name and the type of the activations."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

SOURCE = Path(__file__).with_name("kernels.cpp")
#: forward and back compute the same bits: nothing is contracted that does not say so
FLAGS = ("-std=c++20", "-O3", "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
         "-fopenmp", "-shared", "-fPIC")  # fmt: skip

#: arguments without the last one, the threads: p pointer, n whole number, r real
_ARGUMENTS = {
    "unit_forward": "ppppppppppp nnnnn rrr",
    "unit_backward": "pppppppppp nnnn rr",
    "real_unit_forward": "ppppppppp nnnn rrr",
    "real_unit_backward": "pppppppppp nnnn rr",
    "norm_forward": "ppppp nnn rrr",
    "norm_backward": "ppppp nnn rr",
    "sign_bytes": "ppp nnnnn",
    "signs": "ppp nnnnn",
    "signs_backward": "pppppp nnnnnn",
    "group_means": "pp nnn",
    "affine_forward": "ppppppp nn rr",
    "affine_backward": "ppppppp nnn",
    "pools_forward": "ppppp nnn rr",
    "pools_backward": "pppppp nnn",
    "window_sums": "pp r nnnn",
    "spread": "pppp r nnnn",
}
#: whose gradients may be in bfloat16
_BRIEF = ("unit_backward", "signs_backward")
_KINDS = {"p": ctypes.c_void_p, "n": ctypes.c_int64, "r": ctypes.c_double}
_TYPES = {torch.float32: "float", torch.float64: "double"}


class StepKernels:
    """A compiled kernels.cpp; ``gradients`` is the type that gradients are multiplied in."""

    def __init__(self, path: Path, *, threads: int, brief_gradients: bool = False) -> None:
        self.threads, self.brief_gradients = threads, brief_gradients
        library = ctypes.CDLL(str(path))
        self._functions: dict[tuple[str, torch.dtype, bool], Any] = {}
        for name, arguments in _ARGUMENTS.items():
            for kind, suffix in _TYPES.items():
                for brief in (False, True) if name in _BRIEF else (False,):
                    function = getattr(library, f"bvit_{name}_{suffix}{'_brief' if brief else ''}")
                    function.argtypes = [*(_KINDS[a] for a in arguments.replace(" ", "")), ctypes.c_int]
                    function.restype = None
                    self._functions[name, kind, brief] = function

    def __call__(self, name: str, kind: torch.dtype, *arguments: Any, brief: bool = False) -> None:
        """Run a kernel for activations of ``kind``; tensors, contiguous, go by their address, None by 0."""
        given = (a.data_ptr() if isinstance(a, Tensor) else a for a in arguments)
        self._functions[name, kind, brief](*given, self.threads)

    def gradient_kind(self, kind: torch.dtype) -> torch.dtype:
        """The type in which gradients are multiplied where activations are of ``kind``."""
        return torch.bfloat16 if self.brief_gradients else kind


_active: list[StepKernels] = []


def active(x: Tensor) -> bool:
    """Whether steps on ``x`` go through kernels just now."""
    known = x.device.type == "cpu" and x.dtype in _TYPES and x.ndim == 3
    return bool(_active) and known and not torch.is_autocast_enabled("cpu")


def kernels() -> StepKernels:
    """The kernels that :func:`using` gave."""
    return _active[-1]


class using:
    """Within it networks train on a CPU through ``kernels``."""

    def __init__(self, kernels: StepKernels) -> None:
        self._kernels = kernels

    def __enter__(self) -> None:
        _active.append(self._kernels)

    def __exit__(self, *_about: object) -> None:
        _active.pop()
