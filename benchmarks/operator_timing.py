"""Which clock the largest operators of a network hold, by the estimate of docs/timing.md, each by itself.

    python benchmarks/operator_timing.py [--preset tiny-digits] [--board u250] [--cycles N] [--largest N] [--most LUT]
        [--kinds KIND ...] [--built BUILD [--names NAME ...]]

The network is folded for the board, with random parameters, and the largest operators of each kind are mapped by Yosys
and timed: a whole network for a card takes hours of Yosys, these minutes. ``--built`` takes the operators of a build's
graph instead, as many as there are in ``generate/``, and ``--names`` some of these. A line each, as Markdown, slowest
first: the longest path between its registers, the longest into them from a stream, and where the former goes. Paths
between operators are the step ``timing``'s.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from fmax import chosen, folding_of, nodes_of
from machine import processor

from bvit_hw.boards import Board, load_board
from bvit_hw.flows.sta import UnitTiming
from bvit_hw.flows.yosys import analyse, job_of
from bvit_hw.graph.file import load_graph
from bvit_hw.graph.hw_graph import HwNode

HEADS = "| operator | kind | folding | LUT | inside, ns | from a stream, ns | levels | from | to |"


def timed(nodes: Sequence[HwNode], board: Board, processes: int = 1) -> list[tuple[HwNode, float, UnitTiming]]:
    """Each node with the LUTs that Yosys counts and its timing, the slowest first."""
    with tempfile.TemporaryDirectory() as work:
        found = analyse(
            [job_of(node.name, node.op, node.params) for node in nodes],
            target=board.target, work=Path(work), processes=processes,
        )  # fmt: skip
    rows = []
    for node in nodes:
        timing = found[node.name].timing
        assert timing is not None, "the board's target knows delays"
        rows.append((node, found[node.name].resources.lut, timing))
    return sorted(rows, key=lambda row: -slowest(row[2]))


def slowest(timing: UnitTiming) -> float:
    """The longest path that an operator has by itself, in ns."""
    return timing.inside.ns if timing.inside is not None else 0.0


def lines(rows: Sequence[tuple[HwNode, float, UnitTiming]]) -> Iterator[str]:
    """The table's."""
    yield HEADS
    yield f"|{9 * '---|'}"
    for node, lut, timing in rows:
        inside, into = timing.inside, max((path.ns for path in timing.need.values()), default=0.0)
        where = f"{inside.levels} | `{inside.begin}` | `{inside.end}`" if inside is not None else "- | - | -"
        yield (
            f"| `{node.name}` | {type(node.op).__name__} | {folding_of(node.op)} | {lut:,.0f} | "
            f"{slowest(timing):.2f} | {into:.2f} | {where} |"
        )


def main() -> None:
    """Fold, time, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny-digits")
    parser.add_argument("--board", default="u250")
    parser.add_argument("--cycles", type=int, help="cycles a frame (default: the fewest)")
    parser.add_argument("--largest", type=int, default=1, help="of each kind so many")
    parser.add_argument("--most", type=float, default=5000.0, help="leave out operators predicted to take more LUTs")
    parser.add_argument("--kinds", nargs="+", help="operators of these kinds only")
    parser.add_argument("--built", type=Path, help="a build's folder, whose operators are taken")
    parser.add_argument("--names", nargs="+", help="of these names only")
    arguments = parser.parse_args()
    board = load_board(arguments.board)
    if arguments.built is not None:
        nodes = load_graph(arguments.built / "generate" / "graph.safetensors").nodes
        what = f"operators of {arguments.built}"
    else:
        cycles, nodes = nodes_of(arguments.preset, board, arguments.cycles)
        what = f"{arguments.preset}, {cycles:,} cycles a frame"
    if arguments.names:
        taken = [node for node in nodes if node.name in arguments.names]
    else:
        small = tuple(node for node in nodes if node.op.resources().lut <= arguments.most)
        taken = list(chosen(small, arguments.largest, arguments.kinds))
    print(f"{what}, {board.name} at {board.clock_mhz:g} MHz: {1e3 / board.clock_mhz:.2f} ns; {processor()}, "
          f"{time.strftime('%Y-%m-%d')}\n")  # fmt: skip
    print("\n".join(lines(timed(taken, board))))


if __name__ == "__main__":
    main()
