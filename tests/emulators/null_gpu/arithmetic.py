"""Lets the CPU compute what the null GPU does not: over the same memory, operator by operator.

:class:`HostArithmetic` is for programs of PyTorch's operators; :func:`interpret_triton` is for what Inductor made of
them: Triton's interpreter runs the generated kernels (set ``TRITON_INTERPRET=1`` before importing triton), and
:class:`HostArithmetic` the library calls between them.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor
from torch._subclasses.functional_tensor import FunctionalTensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

#: operators that hold no arithmetic of their own
_AS_THEY_ARE = ("aten::set_", "aten::record_stream", "aten::_pin_memory", "aten::is_pinned")
#: index with masks
_SIZED_BY_VALUES = ("aten::index_put_", "aten::_index_put_impl_", "aten::index_put")
_PROCESS_GROUPS = ("c10d", "_c10d_functional")


def on_host(tensor: Tensor) -> Tensor:
    """A CPU tensor over the memory of a null GPU's tensor, with its shape and strides."""
    storage = tensor.untyped_storage()
    if storage.nbytes() == 0:
        return torch.empty_strided(tensor.size(), tensor.stride(), dtype=tensor.dtype)
    memory = (ctypes.c_char * storage.nbytes()).from_address(storage.data_ptr())
    raw = torch.frombuffer(memory, dtype=torch.uint8).untyped_storage()
    return torch.empty(0, dtype=tensor.dtype).set_(raw, tensor.storage_offset(), tensor.size(), tensor.stride())


def _to_host(value: Any) -> Any:
    if isinstance(value, Tensor) and value.is_cuda:
        return on_host(value)
    return torch.device("cpu") if isinstance(value, torch.device) and value.type == "cuda" else value


def _tracing(args: Any, kwargs: Any) -> bool:
    """Whether an operator is only being recorded."""
    if torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None:
        return True
    return any(isinstance(leaf, FakeTensor | FunctionalTensor) for leaf in tree_leaves((args, kwargs)))


def _to_gpu(value: Any) -> Any:
    return value.to("cuda") if isinstance(value, Tensor) else value


class HostArithmetic(TorchDispatchMode):
    """While it is entered, operators on ``cuda`` tensors are computed by their CPU kernels.

    Each runs on the null GPU first, which makes its outputs there and refuses what a GPU would (tensors of two
    devices); then on the CPU, whose results are written into those outputs. ``seen`` counts them by name.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}

    @classmethod
    def ignore_compile_internals(cls) -> bool:
        """torch.compile is not to stop at this mode."""
        return True

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        touched = any(
            (isinstance(leaf, Tensor) and leaf.is_cuda) or (isinstance(leaf, torch.device) and leaf.type == "cuda")
            for leaf in tree_leaves((args, kwargs))
        )
        schema = func._schema
        if not touched or _tracing(args, kwargs) or schema.name in _AS_THEY_ARE or func.namespace in _PROCESS_GROUPS:
            return func(*args, **kwargs)
        self.seen[schema.name] = self.seen.get(schema.name, 0) + 1
        host_args, host_kwargs = tree_map(_to_host, (args, kwargs))
        if torch.Tag.dynamic_output_shape in func.tags or schema.name in _SIZED_BY_VALUES:
            # On the null GPU the sizes would be what the memory happened to hold.
            computed = func(*host_args, **host_kwargs)
            return args[0] if schema.is_mutable else tree_map(_to_gpu, computed)
        result = func(*args, **kwargs)
        computed = func(*host_args, **host_kwargs)
        if schema.is_mutable or any(returned.alias_info is not None for returned in schema.returns):
            return result
        if "empty" not in schema.name:
            for out, value in zip(tree_leaves(result), tree_leaves(computed), strict=True):
                if isinstance(out, Tensor) and value.numel():  # norms in eval mode return statistics, or none
                    _to_host(out).copy_(value)
        return result


def interpret_triton() -> None:
    """Give Triton's interpreter the functions of libdevice that Inductor's kernels call."""
    import numpy as np
    import torch._inductor.config
    import triton.language as tl
    from torch._inductor.runtime.triton_helpers import libdevice
    from triton.runtime.interpreter import TensorHandle

    def function(compute: Any) -> Any:
        def call(*values: Any, **_unused: Any) -> Any:
            tensors = [v if isinstance(v, tl.tensor) else tl.core._semantic.to_tensor(v) for v in values]
            data = compute(*(t.handle.data for t in tensors)).astype(tensors[0].handle.data.dtype)
            return tl.tensor(TensorHandle(data, tensors[0].handle.dtype), tensors[0].type)

        return call

    functions = {"sqrt": np.sqrt, "exp": np.exp, "nearbyint": np.rint, "copysign": np.copysign}
    for name, compute in {**functions, "rsqrt": lambda x: 1 / np.sqrt(x)}.items():
        setattr(libdevice, name, function(compute))
    # Folding computes constants on the GPU, with all modes switched off.
    torch._inductor.config.joint_graph_constant_folding = False


def computing() -> AbstractContextManager[object]:
    """:class:`HostArithmetic` (and Triton's interpreter, where it is asked for) in a process on null GPUs."""
    if "NULL_GPUS" not in os.environ:
        return nullcontext()
    if os.environ.get("TRITON_INTERPRET") == "1":
        interpret_triton()
    return HostArithmetic()
