"""Batches of pictures in an order that depends on seed, epoch and step alone.

Nothing about the order or the random transforms is state: step s of epoch e is the same pictures, cut and flipped the
same way, whichever step a run starts at, however many worker processes read, over however many ranks they are dealt.
"""

from __future__ import annotations

import hashlib
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from bvit_hw.data.augment import Transform
from bvit_hw.data.sources import Split
from bvit_hw.errors import DatasetError


def derived_seed(*parts: object) -> int:
    """A seed of 63 bits from any values; neighbours give unrelated ones."""
    digest = hashlib.blake2b(repr(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def epoch_order(count: int, seed: int, epoch: int) -> Tensor:
    """The permutation of ``count`` pictures in which epoch ``epoch`` sees them."""
    generator = torch.Generator().manual_seed(derived_seed("order", seed, epoch))
    return torch.randperm(count, generator=generator)


@dataclass(frozen=True)
class Share:
    """What one process takes of every step: micro-batches of ``batch`` pictures, ``accumulate`` of them a step.

    A step's pictures are consecutive in the epoch's order: micro-batch after micro-batch, in each rank after rank.
    """

    batch: int
    accumulate: int = 1
    rank: int = 0
    world: int = 1

    @property
    def step(self) -> int:
        """Pictures of a step, over all processes."""
        return self.batch * self.accumulate * self.world

    def positions(self, step: int, micro: int) -> range:
        """Where in the epoch's order this process's part of a micro-batch lies."""
        start = step * self.step + (micro * self.world + self.rank) * self.batch
        return range(start, start + self.batch)


@dataclass(frozen=True)
class _Damaged:
    """Stands for a picture that could not be read: an exception would lose its type on the way from a worker."""

    message: str


class _Pictures(Dataset):  # type: ignore[type-arg]
    """Transformed pictures by (random seed or None, index)."""

    def __init__(self, split: Split, transform: Transform) -> None:
        self.split = split
        self.transform = transform

    def __getitem__(self, key: tuple[int | None, int]) -> tuple[Tensor, int] | _Damaged:
        seed, index = key
        try:
            image, label = self.split[index]
        except DatasetError as error:
            return _Damaged(str(error))
        if seed is None:
            return self.transform(image), label
        # Without workers this is the training process's own generator, which is nobody else's business.
        generator = torch.default_generator
        before = generator.get_state()
        try:
            generator.manual_seed(seed)
            return self.transform(image), label
        finally:
            generator.set_state(before)


def _collate(found: Sequence[tuple[Tensor, int] | _Damaged]) -> tuple[Tensor, Tensor] | _Damaged:
    for item in found:
        if isinstance(item, _Damaged):
            return item
    return torch.stack([image for image, _ in found]), torch.tensor([label for _, label in found])


#: what whoever stops a run sends to all of its processes: a terminal, a batch system, a service manager
_STOPPING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


@contextmanager
def _held_back() -> Iterator[None]:
    """Nothing of :data:`_STOPPING` reaches this thread, or processes that it forks, during the block; it does after."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker(_number: int) -> None:
    """Let a reader, forked while signals were held back, outlive them: the training process finishes its step first.

    A reader ends when the training process does (PyTorch looks every few seconds), or by that one's SIGTERM alone.
    """
    parent = os.getppid()

    def end_when_told() -> None:
        while signal.sigwaitinfo({signal.SIGTERM}).si_pid != parent:
            pass
        os._exit(0)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    threading.Thread(target=end_when_told, daemon=True).start()


class _Keys:
    """The sampler: lists of keys for :class:`_Pictures`, from wherever :class:`Loader` has put it."""

    def __init__(self) -> None:
        self.batches: Iterator[list[tuple[int | None, int]]] = iter(())

    def __iter__(self) -> Iterator[list[tuple[int | None, int]]]:
        return self.batches


class Loader:
    """Reads a split: random batches of an epoch from any step on, or all of it in order for evaluation.

    Batches are uint8 B x C x S x S with labels B. A picture that cannot be read raises :class:`DatasetError` naming it,
    ``workers`` processes read ahead (0: the caller's own process reads).
    """

    def __init__(self, split: Split, transform: Transform, *, workers: int = 0, pin_memory: bool = False) -> None:
        self.count = len(split)
        self._keys = _Keys()
        # Workers are forked before the first batch; spawning would import everything once more in each of them.
        self._loader = DataLoader(
            _Pictures(split, transform),
            batch_sampler=self._keys,  # type: ignore[arg-type]
            collate_fn=_collate,
            num_workers=workers,
            pin_memory=pin_memory,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
            worker_init_fn=_start_worker if workers else None,
            generator=torch.Generator(),  # it draws a seed for each pass; not from everybody's generator
        )

    def epoch(self, share: Share, seed: int, epoch: int, start: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """Micro-batches of one epoch from step ``start`` on; what does not fill a step is left out."""
        order = epoch_order(self.count, seed, epoch).tolist()

        def keys() -> Iterator[list[tuple[int | None, int]]]:
            for step in range(start, self.count // share.step):
                for micro in range(share.accumulate):
                    indices = [order[p] for p in share.positions(step, micro)]
                    yield [(derived_seed("picture", seed, epoch, index), index) for index in indices]

        return self._read(keys())

    def all(self, batch: int, rank: int = 0, world: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Every ``world``-th picture from ``rank`` on, in order, without randomness."""
        mine = range(rank, self.count, world)
        chunks = (mine[i : i + batch] for i in range(0, len(mine), batch))
        return self._read([(None, index) for index in chunk] for chunk in chunks)

    def _read(self, keys: Iterator[list[tuple[int | None, int]]]) -> Iterator[tuple[Tensor, Tensor]]:
        self._keys.batches = keys
        with _held_back():
            batches = iter(self._loader)
        for found in batches:
            if isinstance(found, _Damaged):
                raise DatasetError(found.message)
            yield found
