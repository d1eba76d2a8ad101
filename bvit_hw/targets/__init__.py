"""The FPGAs that networks are built for: one module a target, found by its ``TARGET``; see target.py."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from bvit_hw.targets.target import Family, Target
from bvit_hw.targets.xc7 import TARGET as XC7

__all__ = ["XC7", "Family", "Target", "discovered", "families", "families_of", "place_of"]


@cache
def discovered() -> tuple[Target, ...]:
    """The targets of this package's modules."""
    modules = (importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__))
    return tuple(module.TARGET for module in modules if hasattr(module, "TARGET"))


def families() -> dict[str, tuple[Target, Family]]:
    """Target and family by the family's name, which is what a board's file gives."""
    return {family.name: (target, family) for target in discovered() for family in target.families}


def families_of(flow: str) -> list[str]:
    """Names of the families that the vendor's flow of this name builds for."""
    return [name for name, (_, family) in families().items() if family.flow == flow]


def place_of(family: str) -> tuple[Target, Family]:
    """The target and the family of this name, which must be one of :func:`families`."""
    return families()[family]
