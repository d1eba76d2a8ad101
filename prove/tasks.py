"""Every proof: which wrapper, at which parameters, for sequences of which length."""

from __future__ import annotations

from prover import Task

TASKS: tuple[Task, ...] = (
    *(Task(top="fv_fifo", parameters={"DEPTH": depth}, quick=depth in (2, 3)) for depth in (2, 3, 4, 5, 8)),
    *(Task(top="fv_fifo", parameters={"DEPTH": depth, "BLOCK": 1}, quick=depth == 4) for depth in (4, 5, 8)),
)
