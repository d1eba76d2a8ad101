"""What an operator's parameters must be, as data: checked, drawn at random and packed by it, in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bvit_hw.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ParamSpec:
    """One array of integers: its shape, () for a scalar, and the width in which memories hold an entry.

    Entries are as many as the width holds, ``limits`` (least and most, both included) narrows that. ``bipolar`` ones
    are -1 or +1, a bit each. ``meaning`` says what the entries are, for refusals.
    """

    shape: tuple[int, ...]
    bits: int = 1
    signed: bool = True
    limits: tuple[int, int] | None = None
    bipolar: bool = False
    meaning: str = ""

    @property
    def range(self) -> tuple[int, int]:
        """Least and most value of an entry."""
        if self.bipolar:
            return -1, 1
        if self.limits is not None:
            return self.limits
        return (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1) if self.signed else (0, (1 << self.bits) - 1)

    def check(self, where: str, values: np.ndarray) -> None:
        """Raise ConfigError, beginning with ``where``, unless ``values`` are such an array."""
        values = np.asarray(values)
        # A scalar comes back from a file as one entry.
        if values.shape != self.shape and not (self.shape == () and values.shape == (1,)):
            allowed = f"{self.shape or 'a scalar'}{', ' + self.meaning if self.meaning else ''}"
            raise ConfigError(f"{where} has shape {values.shape}; allowed: {allowed}")
        if values.dtype.kind not in "iu":
            raise ConfigError(f"{where} has dtype {values.dtype}; allowed: integers")
        if self.bipolar:
            if not np.isin(values, (-1, 1)).all():
                raise ConfigError(f"{where} holds other values than -1 and +1")
            return
        low, high = self.range
        if values.min() < low or values.max() > high:
            held = f"holds {values.min()} .. {values.max()}" if values.size > 1 else f"is {values.min()}"
            width = f" ({self.bits} bits)" if self.limits is None else ""
            raise ConfigError(f"{where} {held}; allowed: {low} .. {high}{width}")

    def random(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Such an array, uniform over what is allowed."""
        if self.bipolar:
            return rng.choice(np.array([-1, 1]), self.shape)
        return np.asarray(rng.integers(*self.range, self.shape, dtype=np.int64, endpoint=True))


def check_specs(op_type: str, specs: Mapping[str, ParamSpec], params: Mapping[str, np.ndarray]) -> None:
    """Raise ConfigError unless ``params`` has exactly the arrays of ``specs``, each as its spec says."""
    if set(params) != set(specs):
        allowed = f"allowed: exactly {sorted(specs)}" if specs else "it has none"
        raise ConfigError(f"{op_type}: given parameters {sorted(params)}; {allowed}")
    for name, spec in specs.items():
        spec.check(f"{op_type}: {name}", params[name])
