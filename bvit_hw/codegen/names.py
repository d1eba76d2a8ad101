"""SystemVerilog identifiers for tensors and operators."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: words that are not allowed as identifiers and that a tensor might be called
_RESERVED = frozenset({"input", "output", "inout", "logic", "wire", "reg", "module", "bit", "byte", "int", "rand"})


def identifiers(names: Iterable[str], prefix: str) -> dict[str, str]:
    """A legal identifier for each name, ``prefix`` first, unique among themselves, the same in every run."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        base = prefix + re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_")
        if base in _RESERVED:
            base += "_"
        candidate, count = base, 1
        while candidate.lower() in taken:
            count += 1
            candidate = f"{base}_{count}"
        taken.add(candidate.lower())
        found[name] = candidate
    return found
