"""The golden machine: the engine's commands in NumPy on its memories, bit for bit (docs/engine_design.md)."""

from __future__ import annotations

import numpy as np

from bvit_hw.contract.interval import IntArray
from bvit_hw.engine.commands import (
    MATRIX,
    MID_SHIFTS,
    OUT_SHIFTS,
    PLAIN,
    BitMode,
    Command,
    Kind,
    Memory,
    Space,
    View,
    decode_step,
    decode_tap,
)
from bvit_hw.engine.config import ADDRESS_BITS, COLUMNS, OCTET, OCTETS, EngineConfig

#: entries of an attention's table: as many bits as may be equal
TABLE = COLUMNS + 1


def table_words(channels: int) -> int:
    """Words of the table in a record of parameters; a word with the threshold and the masks of keys follow."""
    return -(-TABLE // channels)


def _inside(at: np.ndarray | int, depth: int) -> IntArray:
    """Addresses modulo 2^16. What lies beyond a memory is read only where it counts nothing; here it is some word."""
    return np.asarray((at & (1 << ADDRESS_BITS) - 1) % depth, dtype=np.int64)


def _wrapped(x: np.ndarray, bits: int) -> IntArray:
    """What a register of ``bits`` holds of ``x``."""
    half = 1 << (bits - 1)
    return np.asarray(((x + half) & ((1 << bits) - 1)) - half, dtype=np.int64)


class Machine:
    """The memories, and what commands do to them. DRAM is three pieces: programme, input, output."""

    #: of half a sum of the matrix unit, which is what a factor multiplies; of a factor
    SUM_BITS = 25
    FACTOR_BITS = 18
    #: of a sum of taps and of what is behind the PReLU; of a result
    VECTOR_BITS = 32
    RESULT_BITS = 25
    #: of a result that is compared, and of one that is added to its neighbours
    COMPARE_BITS = 17
    FOLD_BITS = 16
    #: widths of an attention's table and of its threshold
    ENTRY_BITS = 16
    THRESHOLD_BITS = 17

    def __init__(self, config: EngineConfig, programme: bytes, input_bytes: bytes = b"", output_size: int = 0) -> None:
        self.config = config
        self.bits = np.zeros((config.bits, config.tokens, COLUMNS), dtype=np.uint8)
        self.values = np.zeros((config.values, config.tokens, config.channels), dtype=np.uint8)
        self.weights = np.zeros((config.weights, config.rows, COLUMNS), dtype=np.uint8)
        self.params = np.zeros((config.params, config.channels), dtype=np.uint32)
        self.steps = np.zeros(config.steps, dtype=np.uint64)
        self.taps = np.zeros(config.taps, dtype=np.uint64)
        self.programme = np.frombuffer(programme, dtype=np.uint8)
        self.input = np.frombuffer(input_bytes, dtype=np.uint8)
        self.output = np.zeros(output_size, dtype=np.uint8)

    def run(self, command: Command) -> None:
        """Carry out one command."""
        match command.kind:
            case Kind.LOAD:
                self._load(command)
            case Kind.STORE:
                self._store(command)
            case Kind.COMPUTE:
                self._compute(command)
            case Kind.ATTEND:
                self._attend(command)
            case Kind.KEYS:
                self._keys(command)
            case Kind.VALUES:
                self._values(command)
            case Kind.END:
                pass

    # DRAM

    def _load(self, c: Command) -> None:
        """``words`` words of a memory from ``slices`` of 64 bits each; what a word has besides stays."""
        self._whole(c)
        source = self.programme if c.space == Space.PROGRAMME else self.input
        data = source[c.address : c.address + 8 * c.words * c.slices].reshape(c.words, c.slices, 8)
        at = slice(c.weights.base, c.weights.base + c.words)
        match c.memory:
            case Memory.BITS:
                self.bits[at, : c.slices] = np.unpackbits(data, axis=2, bitorder="little")
            case Memory.WEIGHTS:
                self.weights[at, : c.slices] = np.unpackbits(data, axis=2, bitorder="little")
            case Memory.VALUES:
                self.values.reshape(self.config.values, -1)[at, : 8 * c.slices] = data.reshape(c.words, -1)
            case Memory.PARAMS:
                self.params[at, : 2 * c.slices] = data.copy().view("<u4").reshape(c.words, -1)
            case Memory.STEPS:
                self.steps[at] = data[:, 0].copy().view("<u8").reshape(c.words)
            case Memory.TAPS:
                self.taps[at] = data[:, 0].copy().view("<u8").reshape(c.words)

    def _store(self, c: Command) -> None:
        """The first ``slices`` of 64 bits of ``words`` words of values, lane by lane."""
        self._whole(c)
        words = self.values.reshape(self.config.values, -1)
        data = words[c.operand0.base : c.operand0.base + c.words, : 8 * c.slices].reshape(-1)
        self.output[c.address : c.address + data.size] = data

    def _whole(self, c: Command) -> None:
        """ValueError where a word is not of whole beats."""
        if c.slices % self.config.slices:
            raise ValueError(f"{c.kind.name}: slices={c.slices}; allowed: multiples of {self.config.slices}")

    # loops

    @staticmethod
    def _at(c: Command, view: View) -> IntArray:
        """The view's address in every turn: n0 x n1 x n2."""
        i0, i1, i2 = np.ogrid[: c.n0, : c.n1, : c.n2]
        return np.asarray(view.base + i0 * view.s0 + i1 * view.s1 + i2 * view.s2, dtype=np.int64)

    def _sums(self, c: Command) -> IntArray:
        """Half of what the matrix unit adds up, which is even: turns x tokens x rows."""
        bits_at, weights_at = self._at(c, c.bits_in).ravel(), self._at(c, c.weights).ravel()
        acc = np.zeros((bits_at.size, self.config.tokens, self.config.rows), dtype=np.int64)
        for word in self.steps[c.step_base : c.step_base + c.step_count]:
            step = decode_step(int(word))
            x = np.zeros((bits_at.size, self.config.tokens, COLUMNS), dtype=np.int8)
            inside = slice(step.start * OCTET, (step.start + step.count) * OCTET)
            x[..., inside] = self.bits[_inside(bits_at + step.bits, self.config.bits)][..., inside]
            if step.ones:
                x[:] = 1
            w = self.weights[_inside(weights_at + step.weights, self.config.weights)]
            signs, weights = (2.0 * x - 1).astype(np.float32), (2.0 * w - 1).astype(np.float32)
            acc = (2 * acc if step.double else acc) + (signs @ weights.transpose(0, 2, 1)).astype(np.int64)
        return _wrapped(acc >> 1, self.SUM_BITS)

    def _records(self, c: Command, index: int) -> IntArray:
        """Word ``index`` of the parameters, for each outer turn and group: n0 x 1 x 1 x groups x 1 x channels."""
        i0, g = np.ogrid[: c.n0, : c.groups]
        words = self.params[c.param_base + i0 * c.param_stride + g * c.record + index]
        return np.asarray(words.view(np.int32)[:, None, None, :, None, :], dtype=np.int64)

    def _coefficient(self, c: Command, index: int) -> IntArray:
        """Sixteen bits, two a word, behind bias, bias2 and slope with threshold."""
        word = self._records(c, 3 + index // 2)
        return _wrapped(word >> 16 * (index % 2), 16)

    # commands

    def _compute(self, c: Command) -> None:
        """Sums of taps by channel, perhaps through a PReLU, shifted and saturated; to values, to bits, or both."""
        for name, shift, there in (("mid_shift", c.mid_shift, MID_SHIFTS), ("out_shift", c.out_shift, OUT_SHIFTS)):
            if shift not in there:
                raise ValueError(f"COMPUTE: {name}={shift}; allowed: {', '.join(map(str, there))}")
        tokens, channels, g = self.config.tokens, self.config.channels, np.arange(c.groups)
        shape = (c.n0, c.n1, c.n2, c.groups, tokens, channels)
        sums = np.zeros(shape, dtype=np.int64)
        if c.step_count:
            rows = self._sums(c).reshape(c.n0, c.n1, c.n2, tokens, -1, channels)[..., : c.groups, :]
            sums = rows.transpose(0, 1, 2, 4, 3, 5)
        before = np.broadcast_to(self._records(c, 0), shape).copy()
        for word in self.taps[c.tap_base : c.tap_base + c.tap_count]:
            tap = decode_tap(int(word))
            if tap.source == MATRIX:
                x = sums
            else:
                at = self._at(c, c.operands[tap.source])[..., None] + g * c.operand_groups[tap.source] + tap.offset
                x = self.values[_inside(at, self.config.values)].astype(np.int64)
                x = self._shifted(_wrapped(x, 8) if tap.signed else x, tap.lane, c.lanes)
            coef = np.ones(1, dtype=np.int64) if tap.coef == PLAIN else self._coefficient(c, tap.coef)
            factor = _wrapped(coef << tap.shift, self.FACTOR_BITS)
            before += _wrapped(x << 8 * (tap.high and tap.source != MATRIX), self.SUM_BITS) * factor
        before = _wrapped(before, self.VECTOR_BITS)
        one = _wrapped(np.array([1 << c.slope_shift]), self.FACTOR_BITS)
        slope = _wrapped(self._records(c, 2), 16)
        mid = _wrapped(before >> c.mid_shift, self.SUM_BITS)
        after = mid * np.where(before < 0, slope if c.prelu else one, one) + self._records(c, 1)
        y = _wrapped(_wrapped(after, self.VECTOR_BITS) >> c.out_shift, self.RESULT_BITS)
        y = np.clip(y, -(1 << (c.out_bits - 1)), (1 << (c.out_bits - 1)) - 1)
        if c.out_bytes:
            self._write_values(c, self._at(c, c.values_out)[..., None] + g * c.out_group, y)
        if c.bit_mode:
            threshold = self._records(c, 2) >> 16
            bits = _wrapped(y, self.COMPARE_BITS) >= threshold if c.bit_mode == BitMode.THRESHOLD else y & 1
            octets = bits.reshape(*shape[:-1], -1, OCTET).swapaxes(-2, -3)
            at = self._at(c, c.bits_out)[..., None, None] + (g * (channels // OCTET))[:, None]
            size = channels // OCTET
            if np.any(at % size):
                raise ValueError(f"COMPUTE: bits_out={c.bits_out}; allowed: octets that are a multiple of {size}")
            self._write_bits(at + np.arange(size), octets)

    def _write_values(self, c: Command, at: IntArray, y: IntArray) -> None:
        """Results by group to their words; with ``out_fold`` sums of neighbours, 2^out_fold groups to a word.

        Then ``at`` counts pieces of channels / 2^out_fold sums, from ``fold_base`` on; the rest of a word stays. A sum
        has two bytes at most.
        """
        if not c.out_fold:
            for plane in range(c.out_bytes):
                self.values[_inside(at + plane, self.config.values)] = (y >> 8 * plane) & 0xFF
            return
        assert c.out_bytes * 8 <= self.FOLD_BITS
        y = y.reshape(*y.shape[:-1], -1, 1 << c.out_fold).sum(axis=-1)
        pieces = self.values.reshape(self.config.values, self.config.tokens, 1 << c.out_fold, -1)
        at = at & 0xFFFF
        for plane in range(c.out_bytes):
            word = c.fold_base + (at >> c.out_fold) * c.out_bytes + plane
            pieces[_inside(word, self.config.values), :, at & ((1 << c.out_fold) - 1)] = (y >> 8 * plane) & 0xFF

    def _shifted(self, x: IntArray, lane: int, lanes: int) -> IntArray:
        """Lane l gets lane l + ``lane``; 0 where there is none below ``lanes``."""
        if lane == 0:
            return x
        result = np.zeros_like(x)
        for to in range(self.config.tokens):
            if 0 <= to + lane < lanes:
                result[..., to, :] = x[..., to + lane, :]
        return result

    def _write_bits(self, at: IntArray, bits: np.ndarray) -> None:
        """Octets of bits at addresses that count octets."""
        memory = self.bits.reshape(-1, self.config.tokens, OCTETS, OCTET)
        at = _inside(at, self.config.bits * OCTETS)
        memory[at // OCTETS, :, at % OCTETS] = bits

    def _attend(self, c: Command) -> None:
        """Which keys each query attends: loops 0 and 1 are queries, loop 2 the rows of keys.

        The entry of no equal bit counts as 0.
        """
        record, behind = self.params[c.param_base :], table_words(self.config.channels)
        table = record[:behind].astype(np.int64).ravel()[:TABLE] & (1 << self.ENTRY_BITS) - 1
        table[0] = 0
        threshold = int(record[behind, 0]) & (1 << self.THRESHOLD_BITS) - 1
        words = c.n2 * self.config.rows // COLUMNS
        masks = record[behind + 1 : behind + 1 + words, :2].copy().view(np.uint8)
        mask = np.unpackbits(masks, bitorder="little").astype(np.int64)
        acc = self._sums(c).reshape(c.n0 * c.n1, c.n2, self.config.tokens, self.config.rows)
        equal = acc.transpose(0, 2, 1, 3).reshape(c.n0 * c.n1, self.config.tokens, -1) + COLUMNS // 2
        entries = table[equal] * mask
        attended = entries > (threshold * entries.sum(axis=2, keepdims=True)) >> 16
        bits = attended.reshape(c.n0, c.n1, self.config.tokens, c.n2, self.config.rows // OCTET, OCTET)
        at = self._at(c, c.bits_out)[..., None] + np.arange(self.config.rows // OCTET)
        self._write_bits(at, bits.transpose(0, 1, 3, 4, 2, 5))

    def _keys(self, c: Command) -> None:
        """Keys become rows of weights: slots of all lanes, ``key_slots`` of them to 64 rows."""
        tokens, rows = self.config.tokens, self.config.rows
        for slot in range(c.n0):
            word, place = divmod(slot, self.config.key_slots)
            bits = self.bits[_inside(c.bits_in.base + slot * c.bits_in.s0, self.config.bits)].copy()
            bits[:, : c.start * OCTET] = 0
            bits[:, (c.start + c.count) * OCTET :] = 0
            for lane in range(tokens):
                row = word * COLUMNS + place * tokens + lane
                self.weights[c.weights.base + row // rows, row % rows] = bits[lane]

    def _values(self, c: Command) -> None:
        """Values become columns of weights: ``count`` octets of channels from ``start`` on, each channel a row."""
        tokens, rows, slots = self.config.tokens, self.config.rows, self.config.key_slots
        words = -(-c.n0 // slots)
        for group in range(c.count):
            channels = slice((c.start + group) * OCTET, (c.start + group + 1) * OCTET)
            for word in range(words):
                columns = np.zeros((OCTET, COLUMNS), dtype=np.uint8)
                for slot in range(min(slots, c.n0 - word * slots)):
                    at = c.bits_in.base + (word * slots + slot) * c.bits_in.s0
                    bits = self.bits[_inside(at, self.config.bits)]
                    columns[:, slot * tokens : (slot + 1) * tokens] = bits[:, channels].T
                row = group * OCTET
                at = c.weights.base + row // rows * words + word
                self.weights[at, row % rows : row % rows + OCTET] = columns
