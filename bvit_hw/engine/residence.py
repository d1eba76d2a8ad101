"""Where weights, parameters, steps and taps lie while commands need them, and when they are loaded.

All commands are known, so what makes room is what is needed again last (Belady's rule): what fits is loaded once,
and of what does not fit as little as possible is loaded again. While the units work, what comes next is loaded.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from bvit_hw.engine.commands import Command, Kind, Memory, View
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import RULES, Clock, Rules

#: how many drafts ahead contents are loaded
AHEAD = 32
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Content:
    """Words of a memory, as a command needs them: loaded in beats, ``slices`` a word, or copied there by ``maker``."""

    memory: Memory
    words: int
    data: bytes = b""
    slices: int = 1
    maker: Command | None = None

    def bring(self, base: int, address: int) -> Command:
        """The command after which they lie at ``base``; ``address``: of the data in DRAM."""
        if self.maker is not None:
            return replace(self.maker, weights=View(base))
        return Command(
            kind=Kind.LOAD, memory=self.memory, weights=View(base), words=self.words, slices=self.slices,
            address=address,
        )  # fmt: skip


@dataclass(frozen=True)
class Draft:
    """A command whose addresses in these memories count from its contents, at most one in each memory.

    ``data``: what a LOAD to another memory loads.
    """

    command: Command
    contents: tuple[Content, ...] = ()
    data: bytes = b""


class Contents:
    """Contents that are made: equal ones are one. What is prepared for many commands is kept by its name as well."""

    def __init__(self) -> None:
        self._known: dict[tuple[Memory, int, bytes], Content] = {}
        self._prepared: dict[Hashable, Any] = {}

    def of(self, memory: Memory, data: np.ndarray, slices: int) -> Content:
        """Words of ``slices`` beats each."""
        content = data.tobytes()
        key = memory, slices, content
        if key not in self._known:
            self._known[key] = Content(memory, len(content) // (8 * slices), content, slices)
        return self._known[key]

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """What ``make`` gave when the key was new."""
        if key not in self._prepared:
            self._prepared[key] = make()
        found: T = self._prepared[key]
        return found


def _moved(command: Command, bases: dict[Memory, int]) -> Command:
    """The command with its contents where they lie."""
    view = command.weights
    return replace(
        command, weights=replace(view, base=view.base + bases.get(Memory.WEIGHTS, 0)),
        param_base=command.param_base + bases.get(Memory.PARAMS, 0),
        step_base=command.step_base + bases.get(Memory.STEPS, 0),
        tap_base=command.tap_base + bases.get(Memory.TAPS, 0),
    )  # fmt: skip


def _meet(x: range, y: range) -> bool:
    """Whether they have a number in common."""
    return x.start < y.stop and y.start < x.stop


class _Shelf:
    """What lies in a memory now."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.base: dict[Content, int] = {}
        self.peak = 0

    def put(
        self, content: Content, uses: dict[Content, deque[int]], busy: range, *, early: bool = False
    ) -> int | None:  # fmt: skip
        """Make room for it where nothing lies, else where what lies there is needed again last.

        Else equal rooms are better where no word is ``busy``: the content then need not wait. ``early``: only where
        no word is busy and what lies there is needed behind the content; None where there is no such room.
        """
        lying = sorted(self.base.items(), key=lambda item: item[1])
        starts = [0, busy.stop, *(base + c.words for c, base in lying)]
        best: tuple[float, bool, int, int] | None = None
        for start in starts:
            end = start + content.words
            if end > self.depth:
                continue
            victims = [c for c, base in lying if base < end and base + c.words > start]
            soonest = min((float(uses[c][0]) for c in victims), default=float("inf"))
            meets = _meet(busy, range(start, end))
            if early and (meets or soonest <= uses[content][0]):
                continue
            choice = (-soonest, meets, sum(c.words for c in victims), start)
            if best is None or choice < best:
                best = choice
        if best is None:
            assert early
            return None
        start = best[3]
        for c, base in lying:
            if base < start + content.words and base + c.words > start:
                del self.base[c]
        self.base[content] = start
        self.peak = max(self.peak, start + content.words)
        return start


@dataclass(frozen=True)
class Placed:
    """Commands with what brings their contents; behind how many of them each draft is done; the data to load."""

    commands: list[Command]
    behind: list[int]
    data: bytes
    #: the most words that lay in each memory
    peaks: dict[Memory, int]


class _Placer:
    """The state while contents are placed."""

    def __init__(self, drafts: Sequence[Draft], config: EngineConfig, rules: Rules) -> None:
        self.drafts, self.clock = drafts, Clock(config, rules)
        self.shelves = {
            Memory.WEIGHTS: _Shelf(config.weights), Memory.PARAMS: _Shelf(config.params),
            Memory.STEPS: _Shelf(config.steps), Memory.TAPS: _Shelf(config.taps),
        }  # fmt: skip
        self.uses: defaultdict[Content, deque[int]] = defaultdict(deque)
        for i, draft in enumerate(drafts):
            for content in draft.contents:
                self.uses[content].append(i)
        self.commands: list[Command] = []
        self.behind: list[int] = []
        self.data, self._known = bytearray(), dict[bytes, int]()
        #: what the last command needs that is neither LOAD nor STORE
        self.busy: dict[Memory, range] = {}

    def address(self, content: bytes) -> int:
        """Where in DRAM it lies; the same data lie there once."""
        if content not in self._known:
            self._known[content] = len(self.data)
            self.data.extend(content)
        return self._known[content]

    def add(self, command: Command) -> None:
        """The next command."""
        self.commands.append(command)
        self.clock.run([command])

    def bring(self, content: Content) -> None:
        """In front of the command that needs it now."""
        taken = self.busy.get(content.memory, range(0))
        base = self.shelves[content.memory].put(content, self.uses, taken)
        assert base is not None
        if content.maker is not None:
            # What makes it needs no content, and LOADs wait for it by themselves.
            self.busy = {}
            self.add(content.bring(base, 0))
            return
        wait = _meet(taken, range(base, base + content.words))
        self.add(replace(content.bring(base, self.address(content.data)), wait=wait))

    def draft(self, index: int) -> None:
        """A draft and what it needs."""
        draft = self.drafts[index]
        for content in draft.contents:
            if content not in self.shelves[content.memory].base:
                self.bring(content)
        command = replace(draft.command, address=self.address(draft.data)) if draft.data else draft.command
        bases = {content.memory: self.shelves[content.memory].base[content] for content in draft.contents}
        for content in draft.contents:
            self.uses[content].popleft()
            if not self.uses[content]:
                del self.shelves[content.memory].base[content]
        self.add(_moved(command, bases) if bases else command)
        self.behind.append(len(self.commands))
        if command.kind not in (Kind.LOAD, Kind.STORE):
            self.busy = {c.memory: range(bases[c.memory], bases[c.memory] + c.words) for c in draft.contents}
            self.ahead(index)

    def ahead(self, index: int) -> None:
        """While the units carry out a draft, what the next ones need is loaded, as long as that takes no longer."""
        for draft in self.drafts[index + 1 : index + 1 + AHEAD]:
            for content in draft.contents:
                shelf = self.shelves[content.memory]
                if content.maker is not None or content in shelf.base:
                    continue
                if not self.clock.has_time(content.bring(0, 0)):
                    return
                base = shelf.put(content, self.uses, self.busy.get(content.memory, range(0)), early=True)
                if base is not None:
                    self.add(content.bring(base, self.address(content.data)))


def placed(drafts: Sequence[Draft], config: EngineConfig, rules: Rules = RULES) -> Placed:
    """Bring each draft's contents in front of it where they do not lie yet. Addresses of data count from their first.

    Contents must fit their memory alone; whoever makes them says so if not.
    """
    placer = _Placer(drafts, config, rules)
    for index in range(len(drafts)):
        placer.draft(index)
    peaks = {memory: shelf.peak for memory, shelf in placer.shelves.items()}
    return Placed(placer.commands, placer.behind, bytes(placer.data), peaks)
