"""Finds where NaN or Inf came from, once a step has produced one."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from bvit_hw.train.distributed import Processes


class _Finder:
    """Checks tensors in the order in which they are made; keeps the first that is not finite."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.first: int | None = None

    def check(self, name: str, value: object) -> None:
        if isinstance(value, Tensor) and value.is_floating_point():
            if self.first is None and not bool(torch.isfinite(value).all()):
                self.first = len(self.names)
            self.names.append(name)


def first_not_finite(
    model: nn.Module,
    loss_of: Callable[[], Tensor],
    images: Tensor,
    processes: Processes,
) -> str:
    """The first quantity of a step that is not finite, over all processes, in the order of computation.

    Replays the step on ``model``: parameters, images, the output of every layer, the loss that ``loss_of`` computes
    from them, gradients from the last layer to the first. (The norms' running statistics have seen the step already,
    and training does not read them.) Every process must call it.
    """
    finder = _Finder()
    for name, parameter in model.named_parameters():
        finder.check(f"parameter {name}", parameter)
    finder.check("input images", images)
    handles = [
        module.register_forward_hook(lambda _module, _args, out, name=name: finder.check(f"output of {name}", out))
        for name, module in model.named_modules()
        if name
    ]
    try:
        # A compiled block would not call the hooks of the layers inside it.
        with torch.compiler.set_stance("force_eager"):
            loss = loss_of()
            finder.check("loss", loss)
            model.zero_grad(set_to_none=True)
            loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    for name, parameter in reversed(list(model.named_parameters())):
        finder.check(f"gradient of {name}", parameter.grad)
    position = torch.tensor([len(finder.names) if finder.first is None else finder.first], device=processes.device)
    found = int(processes.least(position))
    return finder.names[found] if found < len(finder.names) else "none in a replay of the step (a sum overflowed)"
