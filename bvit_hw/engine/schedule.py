"""The order in which lines of tensors are made: each as late as what needs it allows, so that little waits.

A tensor lies in tiles of lines. A task makes a tile of all tensors of an operation; where it sees windows, a part of a
tile, for which it needs one tile of the windows' tensor at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bvit_hw.engine.layout import Layout
from bvit_hw.engine.plan import Operation, Plan


@dataclass(frozen=True)
class Task:
    """Lines ``first`` .. ``behind`` - 1 of an operation's results, which are in the tile ``index``."""

    op: Operation
    index: int
    first: int
    behind: int


class Schedule:
    """All tasks of a plan in their order; a grid's tiles have ``heights`` lines, and the last one what is left."""

    def __init__(self, plan: Plan, heights: Mapping[Layout, int], output: str) -> None:
        self.plan, self.heights = plan, heights
        self.maker = {name: op for op in plan.operations for name in op.makes}
        self.tasks = list(self._order(output))
        #: how many tasks read a tile of a tensor
        self.readers: Counter[tuple[str, int]] = Counter(
            tile for task in self.tasks for tile in dict.fromkeys(self.tiles(task))
        )

    def count(self, layout: Layout) -> int:
        """Tiles of a grid."""
        return -(-layout.lines // self.heights[layout])

    def parts(self, op: Operation, index: int) -> Iterator[Task]:
        """The tasks that make a tile of an operation's results."""
        height = self.heights[op.layout]
        start, end = index * height, min((index + 1) * height, op.layout.lines)
        step = height
        for read in op.reads:
            if read.rows > 1:
                step = min(step, max(1, self.heights[self.plan.layouts[read.name]] // read.rows))
        for first in range(start, end, step):
            yield Task(op, index, first, min(first + step, end))

    def tiles(self, task: Task) -> Iterator[tuple[str, int]]:
        """What a task reads, tensor by tensor and tile by tile; first those of which it needs all."""
        for read in sorted(task.op.reads, key=lambda read: not read.whole):
            layout = self.plan.layouts[read.name]
            first, behind = read.lines(task.first, task.behind, layout.lines)
            height = self.heights[layout]
            for index in range(first // height, -(-behind // height)):
                yield read.name, index

    def _order(self, output: str) -> Iterator[Task]:
        """From the output on: what a task needs is made in front of it."""
        done: set[Task] = set()
        last = self.maker[output]
        for index in range(self.count(last.layout)):
            for task in self.parts(last, index):
                waiting = [(task, self._before(task))]
                while waiting:
                    task, needed = waiting[-1]
                    before = next((one for one in needed if one not in done), None)
                    if before is not None:
                        waiting.append((before, self._before(before)))
                        continue
                    waiting.pop()
                    if task not in done:
                        done.add(task)
                        yield task

    def _before(self, task: Task) -> Iterator[Task]:
        """The tasks that make what a task reads."""
        for name, index in self.tiles(task):
            yield from self.parts(self.maker[name], index)
