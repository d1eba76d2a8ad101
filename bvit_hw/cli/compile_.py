"""`bvit-hw compile`: a network as a programme for a board's single engine."""

from __future__ import annotations

from pathlib import Path

import click

from bvit_hw.cli.words import Command, OutputFile


@click.command("compile", cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("--board", required=True, help="Whose engine: a name of `bvit-hw boards`, or a .toml file with [engine].")
@click.option("-o", "--out", type=OutputFile(), required=True, help="The programme's file to write (.prog).")
@click.option("--preset", help="A shipped checkpoint by name instead (default tiny-digits).")
@click.option(
    "--network", type=click.Path(path_type=Path), help="A network's .toml file: with random weights, for its cycles."
)
@click.option("--random-weights", is_flag=True, help="Random weights for the --preset, for its cycles.")
@click.option(
    "--calibrate", metavar="DIR|DATA", help="Images to choose fixed-point scales with, where the checkpoint has none."
)
@click.option(
    "--check/--no-check",
    default=True,
    show_default=True,
    help="Carry the programme out on the golden machine for one picture; its logits must be the network's.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def compile_command(
    checkpoint: Path | None,
    board: str,
    out: Path,
    preset: str | None,
    network: Path | None,
    random_weights: bool,
    calibrate: str | None,
    check: bool,
    overwrite: bool,
) -> None:
    """Compile CHECKPOINT (default: the shipped one) into a programme for the engine of a board (docs/engine.md).

    A network beyond the engine is refused with the limit by name. Cycles are those of a model, not simulated.
    """
    from bvit_hw.boards import load_board
    from bvit_hw.engine.board_engine import engine_of

    # Before PyTorch is imported: a board without an engine is told at once.
    found = load_board(board)
    config = engine_of(found)
    from bvit_hw.engine.check import check_programme
    from bvit_hw.engine.compiler import compile_network
    from bvit_hw.engine.programme import save_programme
    from bvit_hw.network_file import load_graph, network_name, network_record
    from bvit_hw.outputs import writable_output
    from bvit_hw.pipeline.engine_programme import network_programme
    from bvit_hw.pipeline.options import chosen_network
    from bvit_hw.pipeline.random_network import random_notes

    path, _ = chosen_network(
        preset_name=preset, network=network, random_weights=random_weights, checkpoint=checkpoint, calibrate=calibrate
    )
    writable_output(out, path, overwrite=overwrite)
    graph, report = load_graph(path, calibrate)
    compiled = compile_network(graph, config, fused=True)
    if check:
        check_programme(graph, compiled, config)
    record = network_record(path)
    programme = network_programme(graph, compiled, config, name=network_name(path), record=record)
    save_programme(programme, config, out)
    total = int(str(programme.facts["cycles"]))
    lines = [] if report is None else report.lines()
    rate = found.clock_mhz * 1e6 / total
    lines += [
        f"{out}: {network_name(path)} for the engine of {found.name}, {out.stat().st_size:,} bytes, "
        f"{len(programme.commands):,} commands",
        f"by the model {total:,} cycles a frame, {rate:,.1f} frames/s at {found.clock_mhz:g} MHz; not simulated",
        "logits of one picture on the golden machine: equal" if check else "not carried out: --no-check",
        *random_notes(path),
    ]
    click.echo("\n".join(lines))
