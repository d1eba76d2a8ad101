"""Mixed-integer linear programmes, solved by HiGHS through SciPy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array


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

    def solve(self, *, gap: float, seconds: float) -> np.ndarray | None:
        """Values of the variables; None where there is no solution (or none was found in time)."""
        shape = (len(self.row_low), len(self.cost))
        matrix = coo_array((self.values, (self.rows, self.cols)), shape=shape).tocsc()
        result = milp(
            np.array(self.cost),
            integrality=np.array(self.integer),
            bounds=Bounds(0, np.array(self.upper)),
            constraints=LinearConstraint(matrix, np.array(self.row_low), np.array(self.row_high)),
            options={"mip_rel_gap": gap, "time_limit": seconds},
        )
        return None if result.x is None else np.asarray(result.x)
