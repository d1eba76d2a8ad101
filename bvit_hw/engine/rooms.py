"""Where tensors lie in a memory while they are needed: first fit as they come, or all planned beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bvit_hw.errors import LimitError


class RoomError(LimitError):
    """A memory is too shallow for what has to lie there at once."""

    def __init__(self, memory: str, depth: int, needed: int, at_once: int | None = None) -> None:
        """``needed`` words at the least; with ``at_once`` it is what they took, which another placing might not."""
        says = f"needs {needed} of them at once"
        if at_once is not None:
            says = f"has {at_once} at once, and they took {needed} as they were placed"
        super().__init__(f"engine: the memory {memory} has {depth} words; this network {says}")
        self.memory = memory


class Room:
    """Addresses of a memory, given out first fit, from either end."""

    def __init__(self, name: str, depth: int) -> None:
        self.name, self.depth = name, depth
        self._taken: dict[int, int] = {}
        #: those of them that were taken from the end
        self._highest: set[int] = set()
        #: words of a memory that would have been deep enough
        self.peak = 0

    def take(self, words: int) -> int:
        """The lowest ``words`` free words side by side; RoomError where there are none."""
        at = 0
        for base, size in sorted(self._taken.items()):
            if base - at >= words:
                break
            at = base + size
        if at + words > self.depth:
            raise RoomError(self.name, self.depth, at + words)
        self._hold(at, words)
        return at

    def take_highest(self, words: int, apart: Iterable[range]) -> int:
        """The highest free words side by side that are none of ``apart``; else what :meth:`take` gives."""
        end = self.depth
        for base, size in sorted([*self._taken.items(), *((one.start, len(one)) for one in apart)], reverse=True):
            if end - base - size >= words:
                break
            end = min(end, base)
        if end < words:
            return self.take(words)
        self._highest.add(end - words)
        self._hold(end - words, words)
        return end - words

    def _hold(self, at: int, words: int) -> None:
        self._taken[at] = words
        low = max((base + size for base, size in self._taken.items() if base not in self._highest), default=0)
        high = self.depth - min(self._highest, default=self.depth)
        self.peak = max(self.peak, min(low + high, self.depth))

    def free(self, base: int) -> None:
        """Give back what :meth:`take` or :meth:`take_highest` gave."""
        del self._taken[base]
        self._highest.discard(base)


@dataclass
class Stay:
    """``words`` that lie in a memory from ``begin`` on, before ``end``; ``loaded``: a LOAD brings them."""

    words: int
    begin: int
    end: int
    loaded: bool = False


class EndlessRoom(Room):
    """Gives out each address once, and writes down how long what stays where: a :class:`Stay` for each."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 0)
        self.stays: list[Stay] = []
        self._events = 0
        self._next = 0
        self._at: dict[int, Stay] = {}

    def take(self, words: int) -> int:
        """The next address."""
        return self._begins(words, loaded=False)

    def take_highest(self, words: int, apart: Iterable[range]) -> int:
        """The next address, of what a LOAD brings."""
        return self._begins(words, loaded=True)

    def _begins(self, words: int, *, loaded: bool) -> int:
        stay = Stay(words, self._events, np.iinfo(np.int64).max, loaded)
        self.stays.append(stay)
        at, self._next = self._next, self._next + words
        self._at[at] = stay
        self._events += 1
        return at

    def free(self, base: int) -> None:
        """It stayed up to now."""
        self._at.pop(base).end = self._events
        self._events += 1


class PlannedRoom(Room):
    """Gives out the addresses that were planned, in their order."""

    def __init__(self, name: str, depth: int, places: Sequence[int]) -> None:
        super().__init__(name, depth)
        self._places = iter(places)

    def take(self, words: int) -> int:
        """As planned."""
        at = next(self._places)
        self.peak = max(self.peak, at + words)
        return at

    def take_highest(self, words: int, apart: Iterable[range]) -> int:
        """As planned."""
        return self.take(words)

    def free(self, base: int) -> None:
        """The plan knows."""


#: by how many events what is loaded has its place beforehand, so that its LOAD may come sooner; where that fits
SOONER = (64, 16, 4, 0)
#: how often what found no place is tried first
ATTEMPTS = 24


def planned(name: str, depth: int, stays: Sequence[Stay]) -> list[int]:
    """An address for each of ``stays``, so that what is there at the same time lies apart.

    The largest come first, each to the lowest place that is free all the time. Where one then ends beyond ``depth`` it
    comes before all others the next time. Raises RoomError where that does not do.
    """
    words = np.array([stay.words for stay in stays], dtype=np.int64)
    begins = np.array([stay.begin for stay in stays], dtype=np.int64)
    ends = np.array([stay.end for stay in stays], dtype=np.int64)
    loaded = np.array([stay.loaded for stay in stays], dtype=bool)
    at_once = _at_once(words, begins, ends)
    if at_once > depth:
        raise RoomError(name, depth, at_once)
    least = np.iinfo(np.int64).max
    for sooner in SOONER:
        since = np.where(loaded, np.maximum(begins - sooner, 0), begins)
        if _at_once(words, since, ends) > depth:
            continue
        order = np.lexsort((since, -words))
        for _ in range(ATTEMPTS):
            places = _placed(words, since, ends, order)
            beyond = places[order] + words[order] > depth
            if not beyond.any():
                return [int(at) for at in places]
            least = min(least, int((places + words).max()))
            order = np.concatenate([order[beyond], order[~beyond]])
    raise RoomError(name, depth, int(least), at_once)


def _at_once(words: np.ndarray, begins: np.ndarray, ends: np.ndarray) -> int:
    """The most words that are there at once."""
    when = np.concatenate([ends, begins])  # what ends makes room for what begins then
    change = np.concatenate([-words, words])
    return int(np.cumsum(change[np.argsort(when, kind="stable")]).max(initial=0))


def _placed(words: np.ndarray, begins: np.ndarray, ends: np.ndarray, order: np.ndarray) -> np.ndarray:
    """The lowest places, found one after another."""
    places = np.zeros(len(words), dtype=np.int64)
    for count, i in enumerate(order):
        others = order[:count]
        others = others[(begins[others] < ends[i]) & (begins[i] < ends[others])]
        others = others[np.argsort(places[others], kind="stable")]
        # free from the furthest end of those below, up to the next one
        ends_below = np.concatenate([[0], np.maximum.accumulate(places[others] + words[others])])
        starts = np.concatenate([places[others], [np.iinfo(np.int64).max]])
        places[i] = ends_below[np.argmax(starts - ends_below >= words[i])]
    return places
