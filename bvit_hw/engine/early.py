"""LOADs to the memory of values beside working units: how early, and which of them must wait.

The engine writes a beat to values where the vector unit does not, so such a LOAD may be carried out beside a COMPUTE
that knows nothing of its words. All commands are known: each LOAD goes forward as far as nobody touches these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from bvit_hw.engine.commands import MATRIX, Command, Kind, Memory, View, decode_tap
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import Rules, cycles_of, written_part
from bvit_hw.engine.residence import Content, Draft

#: how many drafts a LOAD goes forward at most
REACH = 64
#: all words
ALL = range(1 << 16)


def _signed(n: int) -> int:
    """A number of 16 bits as a distance."""
    return ((n & 0xFFFF) ^ 0x8000) - 0x8000


@cache
def _offsets(taps: Content) -> dict[int, tuple[int, int]]:
    """The least and the largest offset of the taps of each operand."""
    found: dict[int, tuple[int, int]] = {}
    for word in np.frombuffer(taps.data, dtype="<u8").reshape(taps.words, -1)[:, 0]:
        tap = decode_tap(int(word))
        if tap.source != MATRIX:
            low, high = found.get(tap.source, (1 << 16, -(1 << 16)))
            at = _signed(tap.offset)
            found[tap.source] = min(low, at), max(high, at)
    return found


def _reach(c: Command, view: View, group: int) -> tuple[int, int]:
    """The least and the largest of a view's addresses, if none goes around."""
    low = high = view.base
    counts = ((c.n0, view.s0), (c.n1, view.s1), (c.n2, view.s2), (c.groups, group))
    for most in ((count - 1) * _signed(stride) for count, stride in counts):
        low, high = low + min(most, 0), high + max(most, 0)
    return low, high


def _words(low: int, high: int) -> range:
    """From ``low`` to ``high``; all words where one of them lies beyond the addresses."""
    return range(low, high + 1) if low >= 0 and high < len(ALL) else ALL


def reads(draft: Draft) -> list[range]:
    """Words of values among which are all that a draft's command reads."""
    c = draft.command
    if c.kind == Kind.STORE:
        return [_words(c.operand0.base, c.operand0.base + c.words - 1)]
    if c.kind != Kind.COMPUTE:
        return []
    taps = [content for content in draft.contents if content.memory == Memory.TAPS]
    if not taps:
        return [ALL]
    found = []
    for source, (first, last) in _offsets(taps[0]).items():
        low, high = _reach(c, c.operands[source], c.operand_groups[source])
        found.append(_words(low + first, high + last))
    return found


def writes(draft: Draft) -> list[range]:
    """Words of values among which are all that a draft's command writes."""
    c = draft.command
    if c.kind == Kind.LOAD and c.memory == Memory.VALUES:
        return [_words(c.weights.base, c.weights.base + c.words - 1)]
    if c.kind != Kind.COMPUTE or not c.out_bytes:
        return []
    low, high = _reach(c, c.values_out, c.out_group)
    if low < 0:
        return [ALL]
    if c.out_fold:
        # Places count pieces of words.
        low, high = (c.fold_base + (at >> c.out_fold) * c.out_bytes for at in (low, high))
    return [_words(low, high + c.out_bytes - 1)]


def _meet(some: Sequence[range], others: Sequence[range]) -> bool:
    return any(x.start < y.stop and y.start < x.stop for x in some for y in others)


def _to_values(draft: Draft) -> bool:
    return draft.command.kind == Kind.LOAD and draft.command.memory == Memory.VALUES


def early(drafts: Sequence[Draft], config: EngineConfig, rules: Rules) -> tuple[list[Draft], list[int]]:
    """The drafts with LOADs to values further in front, and which of the given ones each is.

    A command for the units waits for all LOADs in front of it, so a LOAD is hidden beside the one command that it comes
    behind. It goes behind the nearest that takes long enough, or else the longest, but stays behind every draft that
    touches its words. Those that must wait for the command in front of them say so: its words, or those that the one
    before that may still write, are theirs.
    """
    order: list[int] = []
    touched = [reads(draft) + writes(draft) for draft in drafts]
    room: dict[int, float] = {}   # cycles of a draft beside which nothing is loaded yet
    for index, draft in enumerate(drafts):
        at = len(order)
        if _to_values(draft):
            at = _place(drafts, order, touched, index, room, draft.command.words * draft.command.slices
                        // config.slices + 2 * rules.latency)  # fmt: skip
        elif draft.command.kind == Kind.COMPUTE:
            room[index] = (1 - written_part(draft.command)) * cycles_of(config, rules, draft.command).computing
        order.insert(at, index)
    found: list[Draft] = []
    last: tuple[list[range], list[range]] = ([], [])   # what the last command for the units touches, and writes
    others: list[range] = []                           # what the one before it writes
    for index in order:
        draft = drafts[index]
        if _to_values(draft):
            wait = _meet(touched[index], last[0] + others)
            draft = replace(draft, command=replace(draft.command, wait=wait))
        elif draft.command.kind not in (Kind.LOAD, Kind.STORE, Kind.END):
            others, last = last[1], (touched[index], writes(draft))
        found.append(draft)
    return found, order


def _place(
    drafts: Sequence[Draft], order: Sequence[int], touched: Sequence[Sequence[range]], index: int,
    room: dict[int, float], cycles: int,
) -> int:  # fmt: skip
    """Where among the drafts so far a LOAD goes that takes so many ``cycles``."""
    best, behind, beside = len(order), -1, 0.0
    for at in range(len(order), max(0, len(order) - REACH), -1):
        before = order[at - 1]
        if drafts[before].command.kind == Kind.STORE or _meet(touched[before], touched[index]):
            break
        if room.get(before, 0.0) > beside:
            best, behind, beside = at, before, room[before]
            if beside >= cycles:
                break
    if behind >= 0:
        room[behind] -= min(beside, cycles)
    return best
