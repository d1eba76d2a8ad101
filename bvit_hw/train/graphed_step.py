"""A training step recorded once as a CUDA graph and replayed: the host starts one graph, not thousands of kernels.

Small networks are bound by the host on a GPU. The first steps of each phase run as they are, so that kernels are
compiled and the optimizer's moments exist; then one step is recorded (which does not run it) and every step replays it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from bvit_hw.train.batches import Batch
    from bvit_hw.train.trainer import Trainer

log = logging.getLogger(__name__)

#: steps of a phase that run as they are before one is recorded
_WARM_UP = 4


class GraphedStep:
    """Replays of :meth:`Trainer.passes` for one micro-batch; recorded anew for each mode of the network."""

    def __init__(self) -> None:
        self._mode = ""
        self._seen = 0
        self._refused = False
        self._graph: torch.cuda.CUDAGraph | None = None

    def fits(self, trainer: Trainer, seen: list[Batch]) -> bool:
        """Whether the coming step can be a replay; counts the steps that could not."""
        if self._refused or len(seen) != 1:
            return False
        if trainer.model.mode != self._mode:
            self._mode, self._seen, self._graph = trainer.model.mode, 0, None
        self._seen += 1
        if self._seen <= _WARM_UP:
            return False
        if self._graph is None:
            self._record(trainer, *seen[0])
        return self._graph is not None

    def _record(self, trainer: Trainer, images: Tensor, labels: Tensor) -> None:
        self._images, self._labels = images.clone(), labels.clone()
        group = trainer.optimizer.param_groups[0]
        rate = group["lr"]
        # On the device and changed before each replay; the scheduler goes on with its number.
        self._rate = torch.tensor(rate, dtype=torch.float32, device=images.device)
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        trainer.optimizer.zero_grad(set_to_none=True)
        try:
            group["lr"], group["capturable"] = self._rate, True
            with torch.cuda.graph(graph):
                self._told = trainer.passes([(self._images, self._labels)])
        except RuntimeError as error:
            self._refused = True
            # A recording that does not begin leaves its own stream as the current one.
            torch.cuda.set_stream(stream)
            log.warning("steps are not recorded as a CUDA graph, and train more slowly: %s", str(error).splitlines()[0])
            trainer.optimizer.zero_grad(set_to_none=True)
            torch.cuda.synchronize()
        else:
            self._graph = graph
        finally:
            group["lr"], group["capturable"] = rate, False

    def step(self, trainer: Trainer, images: Tensor, labels: Tensor) -> Tensor:
        """One step on these images and labels: what :meth:`Trainer.passes` returns, overwritten by the next step."""
        assert self._graph is not None
        self._images.copy_(images)
        self._labels.copy_(labels)
        self._rate.fill_(trainer.optimizer.param_groups[0]["lr"])
        self._graph.replay()
        return self._told
