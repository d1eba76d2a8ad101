"""`bvit-hw simulate`: images through a build's RTL, waveforms of it, and where it differs from the frozen network."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import click

from bvit_hw import api
from bvit_hw.api.builds import DEFAULT_FOLDER
from bvit_hw.cli.words import Command, OutputFile

Window = tuple[int, int | None]


class CycleWindow(click.ParamType[Window]):
    """Clock cycles from one on, before another: ``FIRST:END``, either of which may be left out."""

    name = "FIRST:END"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Window:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"(\d*):(\d*)", str(value))
        if found is None:
            self.fail(f"{value!r} is no window of clock cycles, such as 1200:1500, 1200: or :300", param, ctx)
        first, end = found.groups()
        return int(first or 0), int(end) if end else None


@click.command("simulate", cls=Command)
@click.option("--build", "build", type=click.Path(path_type=Path), help="A build's folder (default build/pynq-z2).")
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    help="Pictures, as for run (default: those with which the build proved its FIFOs).",
)
@click.option("--count", type=click.IntRange(min=1), help="So many of them (default: all).")
@click.option("--frames", type=click.IntRange(min=1), help="Repeat them to so many frames, back to back.")
@click.option("--stalls", is_flag=True, help="Let source and sink hesitate at random, the same way in every run.")
@click.option("--compare", is_flag=True,
              help="Find where the RTL first differs from the frozen network; exit code 1 if it does.")  # fmt: skip
@click.option("--trace", type=OutputFile(), help="Waveforms to write: .fst, or .vcd (larger).")
@click.option(
    "--cycles", type=CycleWindow(), help="Of these clock cycles alone (default: all; with --compare around the fault)."
)
@click.option("--operator", "operators", multiple=True, metavar="NAME",
              help="Of this operator alone, by its name in the report; may be repeated.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace the file of waveforms if it is there.")
@click.option("--jobs", type=click.IntRange(1, 1024), help="Compilers at once (default: one a core, at most 4).")
@click.option("--json", "as_json", is_flag=True, help="The result as JSON.")
def simulate_command(
    build: Path | None,
    images: Path | None,
    count: int | None,
    frames: int | None,
    stalls: bool,
    compare: bool,
    trace: Path | None,
    cycles: Window | None,
    operators: tuple[str, ...],
    overwrite: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Simulate a build's RTL, as it lies in the build's folder, cycle by cycle; compare, or write waveforms.

    --compare writes every beat of every stream down, and tells the first tensor and position in which the RTL differs
    from the frozen network, and the clock cycle. With --trace as well the waveforms are of the cycles around it. Cycle
    n is at 10 n ns in the file. docs/debugging.md shows how a wrong logit is followed to its operator.
    """
    for option, given in (("--cycles", cycles is not None), ("--operator", operators)):
        if given and trace is None:
            raise click.UsageError(f"{option}: of what? --trace names a file for the waveforms")
    if compare and frames is not None:
        raise click.UsageError("--frames: every image is compared once; leave it out, or --compare")
    from bvit_hw.outputs import writable_output

    if trace is not None:
        writable_output(trace, overwrite=overwrite, option="--trace")

    def say(text: str) -> None:
        click.echo(text, err=True)

    opened = api.open_build(build or DEFAULT_FOLDER)
    chosen = opened.images(images, count=count)
    found: dict[str, Any] = {}
    lines: list[str] = []
    compared = None
    if compare:
        compared = api.compare(opened, chosen, stalls=stalls, jobs=jobs, say=say)
        found["comparison"] = compared.as_json()
        lines += compared.lines()
        if cycles is None:
            cycles = compared.window
        if compared.difference is not None and compared.parts > 1 and not operators:
            operators = (compared.difference.operator,)
    if trace is not None or not compare:
        run = api.simulate(
            opened, chosen, frames=frames, stalls=stalls, trace=trace, cycles=cycles or (0, None), operators=operators,
            jobs=jobs, say=say,
        )  # fmt: skip
        found["simulation"] = run.as_json()
        lines += run.lines()
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(lines))
    if compared is not None and not compared.equal:
        raise click.exceptions.Exit(1)
