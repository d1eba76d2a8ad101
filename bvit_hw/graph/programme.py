"""Mixed-integer linear programmes, solved by HiGHS through SciPy."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse import coo_array

#: SciPy's status of a search that came to its end: the best solution, or the proof that there is none
FINISHED = (0, 2)
INFEASIBLE = 2

log = logging.getLogger(__name__)


class Programme:
    """An integer programme, grown variable by variable and row by row."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.integer: list[int] = []
        self.upper: list[float] = []
        self.rows: list[int] = []
        self.cols: list[int] = []
        self.values: list[float] = []
        self.row_low: list[float] = []
        self.row_high: list[float] = []

    def variable(self, cost: float, upper: float, *, integer: bool) -> int:
        """Add a variable in [0, upper] with this price in the objective; returns its column."""
        self.cost.append(cost)
        self.integer.append(int(integer))
        self.upper.append(upper)
        return len(self.cost) - 1

    def row(self, terms: Sequence[tuple[int, float]], low: float, high: float) -> None:
        """Add the constraint low <= sum of value * variable <= high; terms are (column, value)."""
        index = len(self.row_low)
        for column, value in terms:
            self.rows.append(index)
            self.cols.append(column)
            self.values.append(value)
        self.row_low.append(low)
        self.row_high.append(high)

    def solve(self, *, gap: float, nodes: int) -> np.ndarray | None:
        """Values of the variables; None where there is no solution, or none was found in ``nodes`` of the search tree.

        The limit is no time, or the answer would depend on what else the machine does, even where it is never reached:
        HiGHS gives a stage of its presolve a part of the time, and goes on with another programme if that runs out.
        """
        result = self._milp(self.integer, mip_rel_gap=gap, node_limit=nodes)
        if result.status not in FINISHED:
            found = "nothing found" if result.x is None else f"{100 * result.mip_gap:.1f} % from the best one at most"
            log.warning("folding: %d nodes searched, which is the limit; %s", nodes, found)
        return None if result.x is None else np.asarray(result.x)

    def may_fit(self) -> bool:
        """False where there is no solution even in parts, which is found out quickly."""
        return bool(self._milp([0] * len(self.integer)).status != INFEASIBLE)

    def _milp(self, integer: Sequence[int], **options: float) -> OptimizeResult:
        shape = (len(self.row_low), len(self.cost))
        matrix = coo_array((self.values, (self.rows, self.cols)), shape=shape).tocsc()
        return milp(
            np.array(self.cost),
            integrality=np.array(integer),
            bounds=Bounds(0, np.array(self.upper)),
            constraints=LinearConstraint(matrix, np.array(self.row_low), np.array(self.row_high)),
            options=options,
        )
