"""BinaryAttention: scores, the row rule and the sum over attended values, all heads (docs/attention.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.interval import signed_bits
from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.attention_costs import LUT_RAM_DEPTH, SHIFT_LENGTH, attention_terms
from bvit_hw.ops.attention_folding import attention_foldings
from bvit_hw.ops.base import (
    CostTerms,
    HwOp,
    IntArray,
    Memory,
    Params,
    RtlInstance,
    Stream,
    clog2,
    divisors,
    port_prefixes,
)
from bvit_hw.ops.hls import MAX_BEAT_BITS, HlsInstance, HlsTable
from bvit_hw.ops.params import ParamSpec
from bvit_hw.ops.popcount import word_positions

#: widths that the RTL's one multiplier and NumPy's int64 hold with room to spare
MAX_TABLE_BITS = 24
MAX_TABLE_SHIFT = 24
#: the threshold is an INT32 at most
MAX_THRESHOLD = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class BinaryAttention(HwOp):
    """For each head and query: which keys it attends to, and per channel the sum of their +-1 values.

    Shape: ``queries`` x (``heads`` * ``head_dim``) query bits on ``keys`` tokens of key and value bits of the same
    channels; head h owns the channels h*head_dim .. (h+1)*head_dim - 1. ``table_bits`` is the width of a table entry,
    ``table_shift`` the number of fraction bits of the threshold.

    Folding: ``simd`` channels a beat of q, k and v; ``kp`` keys scored at once; ``mp`` keys at once and ``pe`` output
    channels at once in the second product. ``simd`` and ``pe`` divide ``head_dim`` and one of them the other. ``kp``
    and ``mp`` are at most ``keys``; where one does not divide them, the last group of a row has fewer. ``ultra``: keys
    and values of more than 64 words in UltraRAM (1) or in block RAM (0).

    Parameters: ``table`` (head_dim + 1 entries E[p], 0 <= E < 2**table_bits) and ``threshold`` (scalar T >= 0). Key j
    is attended iff E[p_j] * 2**table_shift > T * sum_j E[p_j], p_j the number of equal bits of query and key.
    """

    op_type: ClassVar[str] = "BinaryAttention"
    contract_node: ClassVar[str] = "BinaryAttention"
    zero_fields: ClassVar[tuple[str, ...]] = ("table_bits", "table_shift")  # not 0 either: they have a most as well
    folding_fields: ClassVar[tuple[str, ...]] = ("simd", "kp", "mp", "pe", "ultra")
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_popcount_pkg.sv",
        "bvit_popcount_parity.sv",
        "bvit_popcount_majority.sv",
        "bvit_popcount_compress.sv",
        "bvit_popcount_chain.sv",
        "bvit_popcount_shared.sv",
        "bvit_ram.sv",
        "bvit_delay.sv",
        "bvit_adder_tree.sv",
        "bvit_attention_gather.sv",
        "bvit_attention_slots.sv",
        "bvit_attention_sixes.sv",
        "bvit_attention_count.sv",
        "bvit_attention_popcount.sv",
        "bvit_attention_equal.sv",
        "bvit_attention_encode.sv",
        "bvit_attention_score.sv",
        "bvit_attention_keys.sv",
        "bvit_attention_values.sv",
        "bvit_attention_queries.sv",
        "bvit_attention_choice.sv",
        "bvit_attention_row.sv",
        "bvit_attention_product.sv",
        "bvit_binary_attention.sv",
    )

    queries: int
    keys: int
    heads: int
    head_dim: int
    table_bits: int = 15
    table_shift: int = 16
    simd: int = 1
    kp: int = 1
    mp: int = 1
    pe: int = 1
    ultra: int = 0

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        q, k = (tensors[name] for name in node.inputs[:2])
        heads = int(node.attrs["heads"])
        return cls(
            queries=q.tokens, keys=k.tokens, heads=heads, head_dim=q.channels // heads,
            table_bits=int(node.attrs["table_bits"]), table_shift=int(node.attrs["table_shift"]),
            simd=1, kp=1, mp=1, pe=1,
        )  # fmt: skip

    def check_fields(self) -> None:
        """Shape and folding."""
        for name, most in (("table_bits", MAX_TABLE_BITS), ("table_shift", MAX_TABLE_SHIFT)):
            if not 1 <= getattr(self, name) <= most:
                raise ConfigError(f"BinaryAttention: {name}={getattr(self, name)}; allowed: 1 to {most}")
        self.check_flag("ultra")
        for name in ("simd", "pe"):
            part = getattr(self, name)
            if part < 1 or self.head_dim % part:
                raise FoldingError(
                    f"BinaryAttention: {name}={part} does not divide head_dim={self.head_dim}; "
                    f"allowed: {divisors(self.head_dim)}"
                )
        for name in ("kp", "mp"):
            if not 1 <= getattr(self, name) <= self.keys:
                raise FoldingError(
                    f"BinaryAttention: {name}={getattr(self, name)}; allowed: 1 to {self.keys}, the keys"
                )
        if self.simd % self.pe and self.pe % self.simd:
            raise FoldingError(
                f"BinaryAttention: simd={self.simd} and pe={self.pe}; allowed: one of them divides the other"
            )

    @property
    def channels(self) -> int:
        """Channels of a token, all heads."""
        return self.heads * self.head_dim

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """q (queries x channels bits), k and v (keys x channels bits)."""
        return tuple(
            Stream(tokens=tokens, channels=self.channels, lanes=self.simd, bits=1, signed=False)
            for tokens in (self.queries, self.keys, self.keys)
        )

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """The accumulators, queries x channels, each in [-keys, keys]."""
        return (
            Stream(
                tokens=self.queries,
                channels=self.channels,
                lanes=self.pe,
                bits=signed_bits(-self.keys, self.keys),
                signed=True,
            ),
        )

    @property
    def key_groups(self) -> int:
        """Cycles of a row's score phase."""
        return -(-self.keys // self.kp)

    @property
    def value_groups(self) -> int:
        """Cycles of an output beat."""
        return -(-self.keys // self.mp)

    @property
    def row_cycles(self) -> int:
        """Cycles of one query and head: the longest of its query's beats, its score phase and its output phase."""
        return max(
            self.head_dim // self.simd,
            self.key_groups,
            self.head_dim // self.pe * self.value_groups,
        )

    @property
    def load_cycles(self) -> int:
        """Cycles in which a frame's k and v, side by side, are stored; v is stored ``pe`` channels at once at most."""
        return self.keys * self.channels // min(self.simd, self.pe)

    @property
    def cycles(self) -> int:
        """Rows follow each other without bubbles while the next frame's k and v are stored."""
        return max(self.queries * self.heads * self.row_cycles, self.load_cycles)

    @property
    def ready_passes(self) -> bool:
        """Where a row takes a cycle: then its queries wait for the output within that."""
        return self.row_cycles == 1

    @property
    def ready_tables(self) -> int:
        """A row that is done, the score phase's enable, the query's last group."""
        return 4 if self.ready_passes else 3

    @property
    def lags(self) -> tuple[float, ...]:
        """A token of queries, but all keys and values: queries are taken once those are in."""
        return (1.0 / self.queries, 1.0, 1.0)

    def foldings(self) -> Iterator[Self]:
        """Those of :func:`attention_foldings`; what would be in block RAM may be in UltraRAM where there is some."""
        found = attention_foldings(self.queries, self.keys, self.heads, self.head_dim)
        candidates = [self.fold(simd=simd, kp=kp, mp=mp, pe=pe, ultra=0) for simd, kp, mp, pe in sorted(found)]
        for fold in sorted(candidates, key=lambda op: -op.cycles):
            yield fold
            in_blocks = [depth for depth, _, _ in fold._stores().values() if depth > LUT_RAM_DEPTH]
            if in_blocks and all(map(self.target.memories.ultra_holds, in_blocks)):
                moved = fold.fold(ultra=1)
                if self.target.memories.ultra_pays(fold.resources(), moved.resources()):
                    yield moved

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """``table`` and ``threshold``."""
        return {
            "table": ParamSpec(
                shape=(self.head_dim + 1,),
                bits=self.table_bits,
                signed=False,
                meaning=f"an entry for each score of head_dim={self.head_dim}",
            ),
            "threshold": ParamSpec(shape=(), bits=self.table_shift + 1, signed=False, limits=(0, MAX_THRESHOLD)),
        }

    def random_params(self, rng: np.random.Generator) -> dict[str, IntArray]:
        """Entries that grow with the score; a threshold at which some rows attend to all keys, some to none."""
        # the share of the sum that an entry must exceed
        share = float(rng.uniform(0, 2.5)) / self.keys
        threshold = min(round(share * (1 << self.table_shift)), (1 << self.table_shift) - 1)
        return {"table": np.sort(self.param_specs["table"].random(rng)), "threshold": np.array(threshold)}

    def attended(self, params: Params, q: np.ndarray, k: np.ndarray) -> np.ndarray:
        """Which keys each row attends to: bool, heads x queries x keys; ``q`` and ``k`` are bits, tokens x channels."""
        table = np.asarray(params["table"], dtype=np.int64)
        threshold = int(np.asarray(params["threshold"]).reshape(()))
        signed_q = 2 * self._by_head(q, self.queries) - 1
        signed_k = 2 * self._by_head(k, self.keys) - 1
        equal = (signed_q @ signed_k.transpose(0, 2, 1) + self.head_dim) // 2
        entries = table[equal]
        result: np.ndarray = (entries << self.table_shift) > threshold * entries.sum(axis=-1, keepdims=True)
        return result

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """q (queries x channels), k and v (keys x channels), all bits, to the accumulators (queries x channels)."""
        self.check_params(params)
        q, k, v = frames
        signed_v = 2 * self._by_head(v, self.keys) - 1
        acc = self.attended(params, q, k).astype(np.int64) @ signed_v
        return (acc.transpose(1, 0, 2).reshape(self.queries, self.channels),)

    def _by_head(self, bits: np.ndarray, tokens: int) -> IntArray:
        """Tokens x channels to heads x tokens x head_dim, int64."""
        return np.asarray(bits, dtype=np.int64).reshape(tokens, self.heads, self.head_dim).transpose(1, 0, 2)

    # ------------------------------------------------------------------ cost

    @property
    def shares_parities(self) -> bool:
        """Whether the scores are counted by bvit_popcount_shared (SHARED in bvit_binary_attention.sv)."""
        return self.kp > 1 and self.head_dim >= 16

    @property
    def delay_cycles(self) -> int:
        """How long a table entry waits for its row's threshold."""
        return self.key_groups + clog2(self.kp) + 3

    def memory_shapes(self) -> dict[str, tuple[int, int, int]]:
        """Depth, lanes and bits a lane of the memories: keys, values, and entries that wait (where not in SRLs)."""
        shapes = self._stores()
        if self.delay_cycles > SHIFT_LENGTH:
            shapes["entries"] = (self.delay_cycles, 1, self.kp * self.table_bits)
        return shapes

    def _stores(self) -> dict[str, tuple[int, int, int]]:
        """Those of keys and values."""
        heads = clog2(self.heads)
        key_bits = word_positions(self.head_dim, "shared_parity") if self.shares_parities else self.head_dim
        chunks = clog2(self.head_dim // self.pe)
        return {
            "keys": (2 << clog2(self.key_groups) + heads, self.kp, key_bits),
            "values": (2 << clog2(self.value_groups) + heads + chunks, self.mp, self.pe),
        }

    def cost_terms(self) -> CostTerms:
        """See :func:`attention_terms`."""
        return attention_terms(self)

    def rtl(self, params: Params) -> RtlInstance:
        """``bvit_binary_attention`` with the table and the threshold as memories.

        T above 2**table_shift attends to nothing, exactly as 2**table_shift does: E_j never exceeds the sum. So the
        RTL gets at most that.
        """
        self.check_params(params)
        threshold = min(int(np.asarray(params["threshold"]).reshape(())), 1 << self.table_shift)
        table = [int(entry) for entry in np.asarray(params["table"])]
        return RtlInstance(
            module="bvit_binary_attention",
            parameters={
                "QUERIES": self.queries,
                "KEYS": self.keys,
                "HEADS": self.heads,
                "HEAD_DIM": self.head_dim,
                "TABLE_BITS": self.table_bits,
                "TABLE_SHIFT": self.table_shift,
                "SIMD": self.simd,
                "KP": self.kp,
                "MP": self.mp,
                "PE": self.pe,
                "ULTRA": self.ultra,
            },
            inputs=port_prefixes("s", 3),
            outputs=port_prefixes("m", 1),
            memories={
                "TABLE_FILE": Memory(width=self.table_bits, words=table),
                "THRESHOLD_FILE": Memory(width=self.table_shift + 1, words=[threshold]),
            },
        )

    def hls(self, params: Params) -> HlsInstance:
        """``binary_attention`` with the table and the threshold, which is cut as in :meth:`rtl`."""
        self.check_params(params)
        words = (self.kp * self.table_bits, (self.key_groups + 1) * self.kp, (self.value_groups + 1) * self.mp)
        if max(words) > MAX_BEAT_BITS:
            raise ConfigError(
                f"BinaryAttention: kp={self.kp} entries of {self.table_bits} bits side by side, keys={self.keys}; "
                f"the HLS template takes up to {MAX_BEAT_BITS} bits; fold further, or choose the RTL"
            )
        threshold = min(int(np.asarray(params["threshold"]).reshape(())), 1 << self.table_shift)
        return HlsInstance(
            header="binary_attention.hpp",
            function="binary_attention",
            shape="BinaryAttentionShape",
            config=self.attributes(),
            tables={
                "table": HlsTable(
                    values=np.asarray(params["table"], dtype=np.int64),
                    bits=self.table_bits,
                    signed=False,
                    partition=(1,),
                ),
                "threshold": HlsTable(values=np.array([threshold]), bits=self.table_shift + 1, signed=False),
            },
        )
