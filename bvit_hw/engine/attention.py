"""BinaryAttention as commands, head by head: KEYS, ATTEND, VALUES, then the sums of the attended values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bvit_hw.contract import FrozenNode
from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import MATRIX, Command, Kind, Step, Tap, View
from bvit_hw.engine.config import COLUMNS, OCTET, OCTETS, EngineConfig
from bvit_hw.engine.emitter import Emitter, bit_strides, records, strides
from bvit_hw.engine.layout import Bits, Layout, Values
from bvit_hw.engine.machine import TABLE, table_words
from bvit_hw.engine.matrix import Columns, gathered, product, selection
from bvit_hw.engine.vector import WIDE


def attention(e: Emitter, node: FrozenNode, q: Bits, k: Bits, v: Bits, out: Values, bits: int) -> None:
    """``bits`` is the width of ``out``. Heads that are no power of two of groups are taken apart, and put together."""
    heads = node.attrs["heads"]
    width = q.channels // heads
    e.limit("channels of a head", width, COLUMNS)
    room = e.config.channels
    while room < width:
        room *= 2
    if room == width:
        _heads(e, node, (q, k, v), out, width, room)
        return
    apart = [[h * width + c] if c < width else [] for h in range(heads) for c in range(room)]
    spread = [_moved(e, x, apart) for x in (q, k, v)]
    wide = e.new_values(out.layout, heads * room, bits)
    _heads(e, node, (spread[0], spread[1], spread[2]), wide, width, room)
    e.free(*spread)
    together = [[h * room + c] for h in range(heads) for c in range(width)]
    gathered(e, wide, bits, selection(together, heads * room), out)
    e.free(wide)


def _moved(e: Emitter, x: Bits, channels: list[list[int]]) -> Bits:
    """Bits whose channels are those named, or 0."""
    moved = e.new_bits(x.layout, len(channels))
    product(e, Columns((x,)), selection(channels, x.channels), x.layout, moved, binary=False)
    return moved


def _heads(
    e: Emitter, node: FrozenNode, tensors: tuple[Bits, Bits, Bits], out: Values, width: int, room: int
) -> None:  # fmt: skip
    """Each head has ``room`` channels, of which ``width`` count."""
    config, (q, k, v) = e.config, tensors
    slots = k.layout.slots
    words = -(-slots // config.key_slots)
    turns = -(-room // config.rows)
    e.limit("weights", max(words * max(1, COLUMNS // config.rows), turns * words), config.weights)
    found = Bits(e.bits.take(q.layout.slots * words), q.layout, words * COLUMNS, words)
    rule = _rule(config, node, k.layout, width, words)
    n1, n2 = q.layout.loops
    # Twice the sum of the attended values: with the attended bits, and with ones in their place.
    sums = [Step(w, w, ones=ones) for w in range(words) for ones in (False, True)]
    groups = min(room, config.rows) // config.channels
    ones = (np.arange(room) < width).astype(np.int64)
    fixed = records(config.channels, np.zeros(room, dtype=np.int64), 0, 0, 0, ones)
    e.load_taps([Tap(MATRIX, coef=0)])
    for head in range(node.attrs["heads"]):
        word, start = divmod(head * room, COLUMNS)
        first, count = start // OCTET, room // OCTET
        e.load_steps([Step(0, 0, first, count), *sums])
        e.load_params(rule)
        part = Command(kind=Kind.KEYS, n0=slots, start=first, count=count)
        e.commands.append(replace(part, bits_in=View(k.base + word, k.words)))
        s0, s1 = bit_strides(q)
        out0, out1 = bit_strides(found)
        e.commands.append(Command(
            kind=Kind.ATTEND, n0=n1, n1=n2, n2=words * COLUMNS // config.rows, step_count=1, weights=View(0, 0, 0, 1),
            bits_in=View(q.base + word, s0, s1),
            bits_out=View(found.base * OCTETS, out0 * OCTETS, out1 * OCTETS, config.rows // OCTET),
        ))  # fmt: skip
        e.commands.append(replace(part, kind=Kind.VALUES, bits_in=View(v.base + word, v.words)))
        e.load_params(fixed)
        at = out.base + head * (room // config.channels) * out.bytes
        e.commands.append(Command(
            kind=Kind.COMPUTE, groups=groups, n0=turns, n1=n1, n2=n2, step_base=1, step_count=len(sums), tap_count=1,
            weights=View(0, words), bits_in=View(found.base, 0, *bit_strides(found)),
            values_out=View(at, groups * out.bytes, *strides(out)), out_group=out.bytes, out_bytes=out.bytes,
            param_stride=groups * fixed.shape[1], record=fixed.shape[1], out_shift=1, out_bits=WIDE,
            lanes=out.layout.lanes,
        ))  # fmt: skip
    e.free(found)


def _rule(config: EngineConfig, node: FrozenNode, keys: Layout, width: int, words: int) -> IntArray:
    """ATTEND's record: the table by equal bits of 64, the threshold, then which places hold keys."""
    behind = table_words(config.channels)
    record = np.zeros((behind + 1 + words, config.channels), dtype=np.int64)
    table = np.zeros(behind * config.channels, dtype=np.int64)
    # Channels of other heads, and those that are not there, are 0 in queries and keys, thus equal.
    table[TABLE - 1 - width : TABLE] = node.params["table"].reshape(-1)
    record[:behind] = table.reshape(behind, -1)
    record[behind, 0] = int(node.params["threshold"])
    mask = np.zeros(words * COLUMNS, dtype=np.uint8)
    lane, slot = keys.places()
    mask[slot // config.key_slots * COLUMNS + slot % config.key_slots * config.tokens + lane] = 1
    record[behind + 1 :, :2] = np.packbits(mask, bitorder="little").view("<u4").reshape(words, 2)
    return record
