"""Bounds of the single engine (docs/engine_measured.md): cycles that a network takes at least, part by part.

    python benchmarks/engine_bounds.py [--preset small-224]

Nothing here is measured or simulated. A command takes the longer of what its matrix products and its taps need;
filling, fetching of commands, and parameters between row groups are not counted. DRAM is what a frame reads of weights
and parameters, side by side with the computing.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from dataclasses import dataclass
from math import ceil

from bvit_hw.contract import FrozenGraph, FrozenNode
from bvit_hw.contract.interval import bits_of
from bvit_hw.engine.bounds import Sizes
from bvit_hw.engine.config import COLUMNS
from bvit_hw.freeze.random_frozen import random_frozen


@dataclass(frozen=True)
class Plan:
    """An engine that is thought of for a board: tokens, rows, channels, taps at once, DRAM bits a cycle, clock."""

    board: str
    tokens: int
    rows: int
    channels: int
    taps: int
    dram_bits: int
    clock_mhz: float


PLANS = (
    Plan("pynq-z2", 7, 32, 8, 1, 128, 100.0),
    Plan("pynq-z2", 7, 32, 8, 2, 128, 100.0),
    Plan("pynq-z2", 7, 32, 8, 4, 128, 100.0),
    Plan("ultra96-v2", 7, 64, 8, 4, 128, 150.0),
    Plan("kv260", 7, 64, 32, 4, 256, 200.0),
    Plan("zcu104", 7, 128, 64, 4, 256, 200.0),
    Plan("zcu104", 56, 32, 8, 4, 256, 200.0),
)


class Bound:
    """Cycles of each node: products, taps; and bits from DRAM."""

    def __init__(self, graph: FrozenGraph, plan: Plan) -> None:
        self.graph, self.plan = graph, plan
        self.sizes = Sizes(graph, plan.tokens)
        self.producer = {node.output: node for node in graph.nodes}
        self.binarized: set[str] = set()
        self.by_kind: Counter[str] = Counter()

    def groups(self, name: str) -> int:
        """Groups of channels of a tensor."""
        return ceil(self.graph.tensors[name].channels / self.plan.channels)

    def products(self, node: FrozenNode) -> int:
        """Cycles of the matrix unit."""
        out, turns = self.graph.tensors[node.output], self.sizes.slots(node.output)
        row_groups = ceil(out.channels / self.plan.rows)
        if node.op == "BinaryLinear":
            return turns * row_groups * self.sizes.words(node.inputs[0])
        if node.op == "IntLinear":
            planes = self.graph.tensors[node.inputs[0]].bits * (bits_of(node.params["weights"]) + 1)
            return turns * row_groups * self.sizes.words(node.inputs[0]) * planes
        if node.op == "BinaryAttention":
            words, heads = self.key_words(node), node.attrs["heads"]
            scores = words * COLUMNS // self.plan.rows
            return int(turns * heads * (scores + ceil(out.channels / heads / self.plan.rows) * 2 * words))
        return 0

    def key_words(self, node: FrozenNode) -> int:
        """Words of attended bits of a query."""
        return ceil(self.sizes.slots(node.inputs[1]) / (COLUMNS // self.plan.tokens))

    def vector(self, node: FrozenNode) -> int:
        """Cycles of the vector unit and of the row rule."""
        results, p = self.sizes.slots(node.output) * self.groups(node.output), self.plan.taps
        if node.op == "ChannelAffine":
            return results * ceil(sum(self.pooled(x) for x in node.inputs) / p)
        if node.op == "Binarize":
            first = node.inputs[0] not in self.binarized
            self.binarized.add(node.inputs[0])
            return 0 if first else results
        if node.op == "SpatialPool":
            return int(results * ceil(node.attrs["window_h"] * node.attrs["window_w"] / p))
        if node.op == "MultiPool":
            return results * ceil(9 / p)
        if node.op == "IntLinear":
            return self.sizes.slots(node.output) * self.groups(node.inputs[0]) * self.graph.tensors[node.inputs[0]].bits
        if node.op == "BinaryAttention":
            passes = 2 * self.key_words(node) * COLUMNS // self.plan.channels  # the sum, then the comparison
            return int(self.sizes.slots(node.output) * node.attrs["heads"] * passes)
        return 0

    def pooled(self, name: str) -> int:
        """Taps of an operand: one, or the channels of a pool that is not made where its input is made."""
        node = self.producer.get(name)
        if node is None or node.op != "ChannelPool":
            return 1
        group = int(node.attrs["group"])
        return 1 if group <= self.plan.channels and group & (group - 1) == 0 else group

    def bits(self, node: FrozenNode) -> int:
        """Bits of weights and parameters; a record of parameters has at least 4 words of 32 bits a channel."""
        if node.op == "BinaryLinear":
            return int(node.params["weights"].size)
        if node.op == "IntLinear":
            return int(node.params["weights"].size * (bits_of(node.params["weights"]) + 1))
        if node.op in ("ChannelAffine", "MultiPool", "Binarize"):
            by_token = sum(24 * v.size for v in node.params.values() if v.ndim == 2 and len(v) > 1)
            return int(128 * self.graph.tensors[node.output].channels + by_token)
        return 0


def bound(b: Bound) -> dict[str, list[int]]:
    """Of each part of the network: products, taps, the longer of both by command, DRAM; all in cycles."""
    parts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    waiting = 0
    for node in b.graph.nodes:
        part, products, taps = node.output.split(".")[0], b.products(node), b.vector(node)
        if node.op == "ChannelAffine":  # a product streams into the affine behind it
            longer, waiting = max(waiting, taps), 0
        else:
            longer, waiting = (taps, waiting + products)
        b.by_kind[node.op] += taps
        row = parts[part]
        for i, n in enumerate((products, taps, longer, ceil(b.bits(node) / b.plan.dram_bits))):
            row[i] += n
    return dict(parts)


def main() -> None:
    """Print a table for each plan."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small-224")
    given = parser.parse_args()
    graph = random_frozen(given.preset)
    for plan in PLANS:
        print(f"\n{plan}: bounds, not measured\n| part | products | taps | longer | DRAM |\n|---|---|---|---|---|")
        b = Bound(graph, plan)
        parts = bound(b)
        for name, row in parts.items():
            print(f"| {name} |", " | ".join(f"{n:,}" for n in row), "|")
        total = [sum(column) for column in zip(*parts.values(), strict=True)]
        most = max(total[2], total[3])
        print("| all |", " | ".join(f"{n:,}" for n in total), "|")
        print("taps by kind:", ", ".join(f"{kind} {n:,}" for kind, n in b.by_kind.most_common() if n))
        print(f"at most {plan.clock_mhz * 1e6 / most:,.0f} frames/s")


if __name__ == "__main__":
    main()
