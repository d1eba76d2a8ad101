"""`bvit-hw compile`: a network as a programme for a board's single engine."""

from __future__ import annotations

from pathlib import Path

import click

from bvit_hw import api
from bvit_hw.cli.words import Command, OutputFile, complete_board, complete_preset


@click.command("compile", cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("--board", required=True, shell_complete=complete_board,
              help="Whose engine: a name of `bvit-hw boards`, or a .toml file with [engine].")  # fmt: skip
@click.option("-o", "--out", type=OutputFile(), required=True, help="The programme's file to write (.prog).")
@click.option("--preset", shell_complete=complete_preset,
              help="A shipped checkpoint by name instead (default tiny-digits).")  # fmt: skip
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
    engine_of(found)
    given = api.load(checkpoint, preset=preset, network=network, random_weights=random_weights)
    done = api.compile_programme(given, out, board=found, calibrate=calibrate, check=check, overwrite=overwrite)
    lines = [] if done.calibration is None else done.calibration.lines()
    lines += [
        f"{out}: {done.name} for the engine of {found.name}, {done.bytes:,} bytes, {done.commands:,} commands",
        f"by the model {done.cycles:,} cycles a frame, {done.frames_per_second:,.1f} frames/s at "
        f"{found.engine_clock_mhz:g} MHz; not simulated",
        "logits of one picture on the golden machine: equal" if done.checked else "not carried out: --no-check",
        *done.notes,
    ]
    click.echo("\n".join(lines))
