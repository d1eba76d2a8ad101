"""How an operator's HLS template of hls/bvit/ is instantiated: header, function, configuration, constant tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from bvit_hw.errors import ConfigError

#: the widest beat of a stream: what Vitis HLS allows for AP_INT_MAX_W (UG1399), which hls/bvit/common.hpp sets to it
MAX_BEAT_BITS = 4096
Storage = Literal["auto", "bram", "lutram"]


@dataclass(frozen=True, kw_only=True)
class HlsTable:
    """A constant array that a template takes by reference.

    ``values`` are integers in the very shape of the C++ array (dtype object where they exceed 64 bits), each an
    ``ap_int`` (``signed``) or ``ap_uint`` of ``bits`` bits. ``partition`` and ``reshape`` are the dimensions, counted
    from 1 as in the pragma, that are partitioned or reshaped completely; ``storage`` is the kind of memory.
    """

    values: np.ndarray
    bits: int
    signed: bool
    partition: tuple[int, ...] = ()
    reshape: tuple[int, ...] = ()
    storage: Storage = "auto"

    def __post_init__(self) -> None:
        low = -(1 << (self.bits - 1)) if self.signed else 0
        high = (1 << (self.bits - self.signed)) - 1
        least, most = int(self.values.min()), int(self.values.max())
        if least < low or most > high:
            raise ConfigError(f"HLS table: holds {least}..{most}; allowed in {self.bits} bits: {low}..{high}")


@dataclass(frozen=True, kw_only=True)
class HlsInstance:
    """One instance of a template.

    ``header`` lies in hls/bvit/; ``function`` and ``shape`` are names in namespace bvit, templates over the
    configuration struct: ``function<Cfg>(in0, .., out0, .., table0, ..)`` does one frame, ``shape<Cfg>`` derives widths
    and counts and checks them. ``config`` are the struct's ``static constexpr int`` members, ``tables`` the constants
    in the order of the function's parameters.
    """

    header: str
    function: str
    shape: str
    config: Mapping[str, int]
    tables: Mapping[str, HlsTable] = field(default_factory=dict)
