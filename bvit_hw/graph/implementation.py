"""Which flavour, RTL or HLS, each operator of a graph is made in."""

from __future__ import annotations

from collections.abc import Mapping

from bvit_hw.errors import ConfigError
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.registry import hls_op_types

IMPLEMENTATIONS = ("auto", "hls", "rtl")


def choose_implementations(graph: HwGraph, impl: str, of: Mapping[str, str] | None = None) -> dict[str, str]:
    """``hls`` or ``rtl`` for every operator, by name.

    ``impl`` is for all, ``of`` for single ones. ``auto`` is the RTL: every operator has it, and it is what is simulated
    cycle by cycle and synthesized. ``hls`` for all takes the operators that have a template. Raises ConfigError for an
    operator that is not there, or that ``of`` asks for in HLS but has no template.
    """
    chosen = {}
    of = of or {}
    unknown = sorted(set(of) - {node.name for node in graph.nodes})
    if unknown:
        names = ", ".join(node.name for node in graph.nodes if node.op.has_hls())
        raise ConfigError(f"--impl-of {unknown[0]}: there is no such operator; those with both flavours: {names}")
    for node in graph.nodes:
        wish = of.get(node.name, impl)
        if wish not in IMPLEMENTATIONS:
            raise ConfigError(f"implementation {wish!r} of {node.name}; allowed: {', '.join(IMPLEMENTATIONS)}")
        if of.get(node.name) == "hls" and not node.op.has_hls():
            raise ConfigError(
                f"--impl-of {node.name}=hls: {node.op.op_type} has no HLS template; operators that have one: "
                f"{', '.join(hls_op_types())}"
            )
        chosen[node.name] = "hls" if wish == "hls" and node.op.has_hls() else "rtl"
    return chosen
