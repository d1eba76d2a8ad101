"""One process or many: what torchrun started, behind a few exact collectives.

The engine is PyTorch's own: torchrun starts the processes, DistributedDataParallel averages gradients, NCCL carries
them between GPUs and gloo between CPUs. Without torchrun's environment variables there is one process and nothing is
sent.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor

from bvit_hw.errors import ConfigError

#: seconds in which threads of the group let go of what they held
_SETTLE = 0.1


@dataclass(frozen=True)
class Processes:
    """This process's place among all, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0

    def sum(self, values: Tensor) -> Tensor:
        """Elementwise sum over all processes, the same in each; ``values`` is overwritten."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def least(self, values: Tensor) -> Tensor:
        """Elementwise minimum over all processes; ``values`` is overwritten."""
        if self.world > 1:
            dist.all_reduce(values, op=dist.ReduceOp.MIN)
        return values

    def give(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite every process's tensors by those of process 0."""
        if self.world > 1:
            for tensor in tensors:
                # Flags travel as bytes; gloo and NCCL both know those.
                dist.broadcast(tensor.view(torch.uint8) if tensor.dtype == torch.bool else tensor, src=0)

    def give_text(self, text: str) -> str:
        """Process 0's text, in every process; as bytes, since objects would travel as pickles."""
        if self.world == 1:
            return text
        raw = torch.tensor(list(text.encode()) or [0], dtype=torch.uint8, device=self.device)
        length = torch.tensor([len(text.encode())], device=self.device)
        dist.broadcast(length, src=0)
        if not self.main:
            raw = torch.zeros(max(1, int(length)), dtype=torch.uint8, device=self.device)
        dist.broadcast(raw, src=0)
        return bytes(raw[: int(length)].tolist()).decode()


def _device(wanted: str, local_rank: int) -> torch.device:
    if wanted not in ("auto", "cpu", "cuda"):
        raise ConfigError(f"device {wanted!r} is unknown; allowed: auto, cpu, cuda")
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if local_rank >= count:
        raise ConfigError(f"process {local_rank} of this machine has no GPU: {count} found; --device cpu uses none")
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def _leave() -> None:
    """Give the group up once nothing is on its way any more.

    gloo's threads drop the tensors of a collective a moment after it is done, and want the interpreter's lock for that;
    whoever drops the group waits for those threads with the lock held, for ever if the moment is unlucky. A barrier
    has no tensors of Python's, and while this thread sleeps the lock is free.
    """
    dist.barrier()
    time.sleep(_SETTLE)
    dist.destroy_process_group()


@contextmanager
def processes(device: str = "auto") -> Iterator[Processes]:
    """Join the processes that torchrun started (``RANK``, ``WORLD_SIZE``, ``LOCAL_RANK``), or be the only one.

    ``device`` is ``auto``, ``cpu`` or ``cuda``; each process has a GPU of its own. A group that exists is used, kept.
    """
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    chosen = _device(device, int(os.environ.get("LOCAL_RANK", "0")))
    ours = world > 1 and not dist.is_initialized()
    if ours:
        gpu = chosen.type == "cuda"
        dist.init_process_group("nccl" if gpu else "gloo", device_id=chosen if gpu else None)
    yield Processes(rank, world, chosen)
    if ours:
        # Not after an exception: the others may be waiting inside a collective, and torchrun ends them.
        _leave()
