"""How training's speed depends on threads, on how they wait for each other, and on what else the machine does.

Each case is a process of its own that trains the network of ``--preset`` on random pictures; the cases take turns, so
that each has its share of what the machine does besides. Idle, then beside ``--others`` processes that keep a core
busy each. Prints a table of median images a second:

    python benchmarks/thread_waiting.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from machine import processor  # noqa: E402

from bvit_hw.threads import usable_cores, wait_passively  # noqa: E402

_STEPS = """
import sys, time
import torch
from torch.nn.functional import cross_entropy
from bvit_hw.models import BinaryViT, preset
network, batch, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(threads)
config = preset(network)
model = BinaryViT(config).train()
optimizer = torch.optim.AdamW(model.parameters(), fused=True)
images = torch.randn(batch, config.in_channels, config.image_size, config.image_size)
labels = torch.arange(batch) % config.classes
for _ in sys.stdin:
    start = time.perf_counter()
    optimizer.zero_grad(set_to_none=True)
    cross_entropy(model(images), labels).backward()
    optimizer.step()
    print(batch / (time.perf_counter() - start), flush=True)
"""


def _case(network: str, batch: int, threads: int, policy: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    environment = {**kept, "PYTHONPATH": str(ROOT)}
    if policy == "passive":
        environment["OMP_WAIT_POLICY"] = "PASSIVE"
    elif policy == "bvit-hw's":
        wait_passively(environment)
    command = [sys.executable, "-W", "ignore", "-c", _STEPS, network, str(batch), str(threads)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _step(case: subprocess.Popen[str]) -> float:
    assert case.stdin is not None and case.stdout is not None
    case.stdin.write("\n")
    case.stdin.flush()
    return float(case.stdout.readline())


@click.command()
@click.option("--preset", "network", default="cifar10", show_default=True)
@click.option("--batch", default=16, show_default=True)
@click.option("--steps", default=7, show_default=True, help="Measured steps of each case.")
@click.option("--others", type=int, help="Busy processes beside it; as many as there are cores by default.")
def main(network: str, batch: int, steps: int, others: int | None) -> None:
    """Print the table."""
    cores = usable_cores()
    keys = ((1, "passive"), (cores, "library's own"), (cores, "passive"), (cores, "bvit-hw's"))
    cases: dict[tuple[int, str], list[float]] = {key: [] for key in keys}
    running = {key: _case(network, batch, *key) for key in cases}
    for case in running.values():
        _step(case)
    click.echo(f"{network}, batch {batch}, {processor()}, {cores} cores, {time.strftime('%Y-%m-%d')}")
    for load in (0, others if others is not None else cores):
        busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
        try:
            for found in cases.values():
                found.clear()
            for _ in range(steps):
                for key, case in running.items():
                    cases[key].append(_step(case))
        finally:
            for process in busy:
                process.kill()
                process.wait()
        for (threads, policy), found in cases.items():
            name = f"{threads} threads, waiting: {policy}" if threads > 1 else "1 thread"
            speed, least = statistics.median(found), min(found)
            click.echo(f"beside {load} others, {name}: {speed:.1f} images/s, {least:.1f} the least")
    for case in running.values():
        case.kill()
        case.wait()


if __name__ == "__main__":
    main()
