"""What a training step spends its time on: torch.profiler on one step of a variant of train_throughput.py.

Prints each operator's share of the device's own time (CPU time on a CPU), the largest first, and the step's seconds.
"""

from __future__ import annotations

import time

import click
import torch
from machine import processor
from torch.profiler import ProfilerActivity, profile
from train_throughput import VARIANTS, Step


@click.command()
@click.option("--preset", "network", default="small-224", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda" if torch.cuda.is_available() else "cpu")
@click.option("--batch", default=2, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--variant", type=click.Choice(list(VARIANTS)), default="ours", show_default=True)
@click.option("--rows", default=12, show_default=True)
def main(network: str, device: str, batch: int, threads: int, variant: str, rows: int) -> None:
    """Profile one step after a warm one."""
    torch.set_num_threads(threads)
    step = Step(variant, network, device, batch)
    step()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device == "cuda" else [])]
    with profile(activities=activities) as recorded:
        seconds, _ = step()
    own = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    events = sorted(recorded.key_averages(), key=lambda event: getattr(event, own), reverse=True)
    total = sum(getattr(event, own) for event in events)
    if not total:
        raise click.ClickException(f"the profiler recorded no time on {device}")
    where = torch.cuda.get_device_name() if device == "cuda" else processor()
    click.echo(f"{variant}, {network}, batch {batch}, {where}, {time.strftime('%Y-%m-%d')}: {seconds:.2f} s (profiled)")
    for event in events[:rows]:
        click.echo(f"{100 * getattr(event, own) / total:5.1f} %  {event.key}")


if __name__ == "__main__":
    main()
