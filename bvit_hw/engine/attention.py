"""BinaryAttention as commands, head by head: KEYS, ATTEND, VALUES, then the sums of the attended values."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

import numpy as np

from bvit_hw.contract import FrozenNode
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.affine import Affine, in_shifts, of_larger, tail_records
from bvit_hw.engine.commands import MATRIX, Command, Kind, Memory, Step, Tap, View
from bvit_hw.engine.config import COLUMNS, OCTET, EngineConfig
from bvit_hw.engine.emitter import Emitter, Rect, Results, records
from bvit_hw.engine.layout import Bits, Layout, Lines
from bvit_hw.engine.machine import TABLE, table_words
from bvit_hw.engine.matrix import Columns, gathered, product, selection
from bvit_hw.engine.residence import Content
from bvit_hw.engine.vector import WIDE
from bvit_hw.errors import LimitError


def head_room(e: Emitter, node: FrozenNode, channels: int) -> tuple[int, int]:
    """Channels of a head, and the power of two of groups that it takes."""
    width = channels // node.attrs["heads"]
    e.limit("channels of a head", width, COLUMNS)
    room = e.config.channels
    while room < width:
        room *= 2
    return width, room


def attention(
    e: Emitter, node: FrozenNode, q: Bits, k: Bits, v: Bits, results: Results, bits: int, tail: Affine | None = None
) -> None:  # fmt: skip
    """Queries ``q``, of all or of some lines; keys and values of all. ``bits`` is the width of what comes out.

    Heads that are no power of two of groups are taken apart, and put together; they have no ``tail``.
    """
    heads = node.attrs["heads"]
    width, room = head_room(e, node, q.channels)
    if room == width:
        _heads(e, node, (q, k, v), results, (width, room), node.output, tail)
        return
    assert tail is None and results.values is not None
    apart = [[h * width + c] if c < width else [] for h in range(heads) for c in range(room)]
    spread = [_moved(e, (node.output, i), x, apart) for i, x in enumerate((q, k, v))]
    wide = e.new_values(q.layout, heads * room, bits)
    # The keys that are taken apart are not there any more when the next lines come.
    key = node.output, q.base, len(e.drafts)
    _heads(e, node, (spread[0], spread[1], spread[2]), Results(q.layout, wide), (width, room), key, None)
    e.free(*spread)
    together = [[h * room + c] for h in range(heads) for c in range(width)]
    gathered(e, (node.output, "together"), wide, bits, selection(together, heads * room), results.values)
    e.free(wide)


def _moved(e: Emitter, key: Hashable, x: Bits, channels: list[list[int]]) -> Bits:
    """Bits whose channels are those named, or 0."""
    moved = e.new_bits(x.layout, len(channels))
    columns = Columns(Lines((x,), 0))
    product(
        e, key, columns, selection(channels, x.channels), Results(x.layout, bits=moved), binary=False
    )  # fmt: skip
    return moved


def _heads(
    e: Emitter, node: FrozenNode, tensors: tuple[Bits, Bits, Bits], results: Results, sizes: tuple[int, int],
    key: Hashable, tail: Affine | None,
) -> None:  # fmt: skip
    """Each head has ``room`` channels, of which ``width`` count; keys and values are one under ``key``."""
    config, (q, k, v), (width, room) = e.config, tensors, sizes
    group, slots = config.channels, k.layout.slots
    words = -(-slots // config.key_slots)
    turns = -(-room // config.rows)
    e.limit("weights", max(words * max(1, COLUMNS // config.rows), turns * words), config.weights)
    found = Bits(e.bits.take(q.layout.slots * words), q.layout, words * COLUMNS, words)
    if e.dry:
        e.free(found)
        return
    rule = e.params(_rule(config, node, k.layout, width, words))
    # Twice the sum of the attended values: with the attended bits, and with ones in their place.
    sums = e.steps([Step(w, w, ones=ones) for w in range(words) for ones in (False, True)])
    groups = min(room, config.rows) // group
    if tail is None:
        counted = np.tile((np.arange(room) < width).astype(np.int64), node.attrs["heads"])
        fixed = records(group, np.zeros(len(counted), dtype=np.int64), 0, 0, 0, counted)
        # Eight times the sum, that is sixteen times what it stands for.
        plain, matrix = Command(kind=Kind.COMPUTE, mid_shift=4, out_bits=WIDE), Tap(MATRIX, shift=3, coef=0)
    else:
        tail = in_shifts(of_larger(tail, 1))
        fixed = tail_records(group, tail, results, tail.bias)
    size, per_head = fixed.shape[1], room // group
    whole = Rect.of(q.layout)
    for head in range(node.attrs["heads"]):
        word, start = divmod(head * room, COLUMNS)
        first, count = start // OCTET, room // OCTET
        part = Command(kind=Kind.KEYS, n0=slots, start=first, count=count)
        keys = _copied(e, (key, head, "keys"), words * COLUMNS // config.rows,
                       replace(part, bits_in=View(k.base + word, k.words)))  # fmt: skip
        e.add(replace(
            Command(kind=Kind.ATTEND, n0=whole.lines, n1=whole.slots, n2=words * COLUMNS // config.rows),
            step_count=1, weights=View(0, 0, 0, 1), bits_in=_queries(whole.bits(q), word),
            bits_out=_outer(whole.octets(found), config.rows // OCTET),
        ), e.steps([Step(0, 0, first, count)]), keys, rule)  # fmt: skip
        values = _copied(e, (key, head, "values"), turns * words,
                         replace(part, kind=Kind.VALUES, bits_in=View(v.base + word, v.words)))  # fmt: skip
        params = e.params(fixed[head * per_head : (head + 1) * per_head])
        for rect in [whole] if tail is None else tail.rects(results):
            command, taps = (plain, [matrix]) if tail is None else tail.named(
                rect, groups, head * per_head
            )  # fmt: skip
            content = e.taps(taps)
            e.add(replace(
                results.named(command, rect, group, groups, head * per_head), groups=groups, n0=turns,
                step_count=2 * words, tap_count=content.words, weights=View(0, words), bits_in=rect.bits(found),
                param_stride=groups * size, record=size,
            ), sums, content, values, params)  # fmt: skip
    e.free(found)


def _copied(e: Emitter, key: Hashable, words: int, maker: Command) -> Content:
    """Keys or values as weights; they are copied again where they had to make room."""
    if key not in e.copied:
        e.copied[key] = Content(Memory.WEIGHTS, words, maker=maker)
    return e.copied[key]


def _queries(view: View, word: int) -> View:
    """Loops 0 and 1 are lines and slots."""
    return View(view.base + word, view.s1, view.s2)


def _outer(view: View, keys: int) -> View:
    """The same, and loop 2 the rows of keys."""
    return View(view.base, view.s1, view.s2, keys)


def _rule(config: EngineConfig, node: FrozenNode, keys: Layout, width: int, words: int) -> IntArray:
    """ATTEND's record: the table by equal bits of 64, the threshold, then which places hold keys."""
    behind = table_words(config.channels)
    record = np.zeros((behind + 1 + words, config.channels), dtype=np.int64)
    table = np.zeros(behind * config.channels, dtype=np.int64)
    # Channels of other heads, and those that are not there, are 0 in queries and keys, thus equal.
    table[TABLE - 1 - width : TABLE] = node.params["table"].reshape(-1)
    if table[0]:
        raise LimitError(f"engine: an attention's entry of no equal bit={table[0]}; allowed: 0")
    record[:behind] = table.reshape(behind, -1)
    record[behind, 0] = int(node.params["threshold"])
    mask = np.zeros(words * COLUMNS, dtype=np.uint8)
    lane, slot = keys.places()
    mask[slot // config.key_slots * COLUMNS + slot % config.key_slots * config.tokens + lane] = 1
    record[behind + 1 :, :2] = np.packbits(mask, bitorder="little").view("<u4").reshape(words, 2)
    return record
