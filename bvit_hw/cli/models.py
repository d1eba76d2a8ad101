"""`bvit-hw models`: every network that has a name, and what it costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from bvit_hw.cli.tables import print_table
from bvit_hw.cli.words import Command

if TYPE_CHECKING:
    from bvit_hw.models.cost import NetworkCost

_COLUMNS = ("model", "params M", "bin. Mbit", "bin. MMAC", "att. MMAC", "other MMAC", "what it is")


def _cells(cost: NetworkCost) -> tuple[str, ...]:
    return (
        cost.name,
        f"{cost.parameters / 1e6:.2f}",
        f"{cost.binary_mbit:.2f}",
        f"{cost.binary_macs / 1e6:.2f}",
        f"{cost.attention_macs / 1e6:.2f}",
        f"{cost.other_macs / 1e6:.2f}",
        cost.summary,
    )


@click.command("models", cls=Command)
@click.option(
    "--network", type=click.Path(path_type=Path), help="A network's .toml file: this one alone (docs/models.md)."
)
@click.option("--json", "as_json", is_flag=True, help="Exact counts as JSON.")
def models_command(network: Path | None, as_json: bool) -> None:
    """List every network preset, the rows of the paper's ablation and the teacher, with their size and work a frame.

    Multiply-accumulates (MACs) for one image: binary ones in linear layers and patch merges; attention's two products
    apart; others at higher precision (stem, classifier, full-precision merges, all of the teacher).
    """
    from bvit_hw.models.cost import all_costs, described_cost
    from bvit_hw.models.network_toml import read_network

    costs = all_costs() if network is None else [described_cost(read_network(network))]
    if as_json:
        click.echo(json.dumps([cost.as_json() for cost in costs], indent=1))
    else:
        rows = [_cells(cost) for cost in costs]
        print_table(_COLUMNS, rows, texts=("model", "what it is"), remark="what it is", console=Console())
