"""The files of rtl/ by name: whoever needs a module names its file, and need not know in which room it lies."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from bvit_hw.errors import LoweringError
from bvit_hw.resources import data_path


def index(root: Path) -> Mapping[str, Path]:
    """File name -> path of every SystemVerilog file below ``root``; raises LoweringError for a name used twice."""
    found: dict[str, Path] = {}
    for path in sorted(root.rglob("*.sv")):
        other = found.setdefault(path.name, path)
        if other != path:
            raise LoweringError(f"RTL library: {path.name} is in {other.parent} and in {path.parent}; allowed: one")
    return MappingProxyType(found)


@cache
def library() -> Mapping[str, Path]:
    """:func:`index` of this installation's rtl/."""
    return index(data_path("rtl"))


def source_paths(names: Iterable[str]) -> list[Path]:
    """Paths of files of rtl/, in the order given; raises LoweringError naming those that are not there."""
    names, files = list(names), library()
    missing = [name for name in names if name not in files]
    if missing:
        raise LoweringError(f"RTL library {data_path('rtl')} lacks {', '.join(missing)}")
    return [files[name] for name in names]
