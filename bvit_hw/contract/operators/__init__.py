"""The contract's operators, one a file; each says what integers it gives and how far they can reach.

A new one is a file here with its class; nothing else of this package names them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from importlib import import_module

from .base import Operator

__all__ = ["OPERATORS", "Operator"]

for _module in pkgutil.iter_modules(__path__):
    import_module(f".{_module.name}", __name__)

#: kind of node -> what it does
OPERATORS: Mapping[str, Operator] = {kind.__name__: kind() for kind in Operator.__subclasses__()}
