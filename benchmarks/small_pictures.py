"""The shipped networks for pictures beside published ones: accuracy, rate, latency, area, as a table and a plot.

    python benchmarks/small_pictures.py [--build FOLDER]... [--svg FILE]

Each network is folded for each board, as fast as the budget allows, and costed: predictions of the model, without a
latency, which only simulation tells. Where the folder of a `bvit-hw build` of that network and board is named by
--build, its report's figures stand in their place: simulated cycles and latency, resources counted by Yosys, accuracy
of the integers where the data set was at hand. All own rates are cycles at an assumed clock: nothing of them was
measured on a board.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bvit_hw.boards import load_board
from bvit_hw.errors import FoldingError
from bvit_hw.freeze import freeze
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.models import load_checkpoint, shipped_checkpoint
from bvit_hw.models.cost import network_cost
from bvit_hw.models.presets import preset
from bvit_hw.network_file import network_record
from bvit_hw.pipeline.steps.fold import FOLDING_MARGIN
from bvit_hw.report.model import Report

NETWORKS = {"cifar10": "CIFAR-10", "fashion-mnist": "Fashion-MNIST"}
BOARDS = ("pynq-z2", "kv260", "u250")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One accelerator. What is not known is None; ``products`` are multiply-accumulates a frame, ``accuracy`` 0..1."""

    network: str
    board: str
    data: str
    accuracy: float | None
    accuracy_of: str
    fps: float | None = None
    fps_of: str = ""
    latency_us: float | None = None
    lut: float | None = None
    bram18: float | None = None
    dsp: float | None = None
    products: int | None = None
    own: bool = False

    @property
    def gops_per_klut(self) -> float | None:
        """10^9 operations a second, two for each product, by 1,000 LUTs."""
        if self.fps is None or self.lut is None or self.products is None:
            return None
        return 2 * self.products * self.fps / 1e9 / (self.lut / 1e3)


#: products of CNV by the table of https://github.com/fastmachinelearning/qonnx_model_zoo; of ResNet8 by its shapes
CNV, RESNET8 = 57_906_176, 12_501_632
#: as their sources have them; "one at a time": each picture waits for the answer to the one before
PUBLISHED = (
    Row(network="CNV-W1A1, FINN (arXiv 1612.07119)", board="ZC706", data="CIFAR-10", accuracy=0.801,
        accuracy_of="paper", fps=21_906, fps_of="measured on the board", latency_us=283, products=CNV),
    Row(network="CNV-W1A1, FINN (MLPerf Tiny v0.7, open, hls4ml-finn)", board="PYNQ-Z2", data="CIFAR-10",
        accuracy=0.845, accuracy_of="measured on the board, 200 images; 84.22 % of all 10,000 in software", fps=661.473,
        fps_of="measured on the board, one at a time", latency_us=1e6 / 661.473, products=CNV),
    Row(network="ResNet8, 8 bits, fpgaConvNet (MLPerf Tiny v1.1, closed)", board="ZedBoard (XC7Z020)", data="CIFAR-10",
        accuracy=0.860, accuracy_of="measured on the board, 200 images", fps=2431.435,
        fps_of="measured on the board, one at a time, 143 MHz", latency_us=1e6 / 2431.435, lut=47_000, bram18=186,
        dsp=211, products=RESNET8),
    Row(network="FracBNN (arXiv 2012.12206)", board="Ultra96v2", data="CIFAR-10", accuracy=0.891,
        accuracy_of="software; README of its code"),
)  # fmt: skip


def _recorded(name: str) -> tuple[float | None, str]:
    record = network_record(shipped_checkpoint(name))
    return record.accuracy, f"QAT model, recorded with the checkpoint, {record.images or 0:,} images"


def predicted(name: str, board_name: str) -> Row | None:
    """The row of the cost model; None where the network does not fit."""
    board, path = load_board(board_name), shipped_checkpoint(name)
    graph = run_passes(hw_graph_of(freeze(load_checkpoint(path))), board_passes(board))
    budget = board.budget.model_copy(update={"lut": board.budget.lut * (1 - FOLDING_MARGIN)})
    try:
        found = fold(graph, board.model_copy(update={"budget": budget}))
    except FoldingError:
        return None
    accuracy, of = _recorded(name)
    return Row(
        network=name, board=board_name, data=NETWORKS[name], accuracy=accuracy, accuracy_of=of,
        fps=board.clock_mhz * 1e6 / found.cycles,
        fps_of=f"predicted: {found.cycles:,} cycles of the model at an assumed {board.clock_mhz:g} MHz",
        lut=found.resources.lut, bram18=found.resources.bram18, dsp=found.resources.dsp, products=_products(name),
        own=True,
    )  # fmt: skip


def built(folder: Path) -> Row:
    """The row of a build's report."""
    report = Report.read(folder / "report.json")
    if report.accuracy.frozen is None:
        accuracy, of = report.accuracy.recorded, f"QAT model, recorded, {report.accuracy.recorded_images or 0:,} images"
    else:
        accuracy, of = report.accuracy.frozen, f"integers, {report.accuracy.images:,} images"
    simulated = report.cycles_per_frame.simulated
    cycles = report.cycles_per_frame.model if simulated is None else simulated
    how = "predicted: model" if simulated is None else "simulated"

    def area(kind: str) -> float:
        resource = report.resources[kind]
        return resource.model if resource.synthesized is None else resource.synthesized

    return Row(
        network=report.model, board=report.board, data=NETWORKS[report.model], accuracy=accuracy, accuracy_of=of,
        fps=report.frames_per_second,
        fps_of=f"{how}, {cycles:,.0f} cycles at an assumed {report.clock_mhz:g} MHz", latency_us=report.latency_us,
        lut=area("lut"), bram18=area("bram18"), dsp=area("dsp"), products=_products(report.model), own=True,
    )  # fmt: skip


def _products(name: str) -> int:
    cost = network_cost(name, preset(name))
    return cost.binary_macs + cost.attention_macs + cost.other_macs


def table(rows: Sequence[Row]) -> Iterator[str]:
    """The rows as Markdown."""
    yield (
        "| network | board | accuracy | frames/s | latency, µs | LUT | BRAM18 | DSP | GOPS/kLUT | accuracy is of "
        "| rate is |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for row in rows:
        cells = (
            row.network, row.board, "–" if row.accuracy is None else f"{row.accuracy:.2%}".replace("%", " %"),
            *(_number(v) for v in (row.fps, row.latency_us, row.lut, row.bram18, row.dsp)),
            "–" if row.gops_per_klut is None else f"{row.gops_per_klut:.1f}", row.accuracy_of, row.fps_of or "–",
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}"


#: the plot: size, margins, axes
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _BOTTOM = 780, 400, 60, 40, 50
_FPS, _PERCENT = (300.0, 1_000_000.0), (78.0, 94.0)


def _at(fps: float, accuracy: float) -> tuple[float, float]:
    low, high = map(math.log10, _FPS)
    x = _LEFT + (math.log10(fps) - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)
    y = (100 * accuracy - _PERCENT[0]) / (_PERCENT[1] - _PERCENT[0]) * (_HEIGHT - _BOTTOM - 20)
    return x, _HEIGHT - _BOTTOM - y


def _text(x: float, y: float, text: str, more: str = "") -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}"{more}>{escaped}</text>'


def plot(rows: Sequence[Row]) -> str:
    """Accuracy over frames/s as SVG: rows with both; hollow circles are predicted, squares measured on a board."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11" fill="#222">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
    ]
    for exponent in range(3, 7):
        x, y = _at(10.0**exponent, _PERCENT[0] / 100)
        lines.append(f'<path d="M{x:.1f} {y:.1f}V20" stroke="#ddd"/>')
        lines.append(_text(x, y + 16, f"{10**exponent:,}", ' text-anchor="middle"'))
    for percent in range(int(_PERCENT[0]), int(_PERCENT[1]) + 1, 4):
        x, y = _at(_FPS[0], percent / 100)
        lines.append(f'<path d="M{x:.1f} {y:.1f}H{_WIDTH - _RIGHT}" stroke="#ddd"/>')
        lines.append(_text(x - 8, y + 4, f"{percent} %", ' text-anchor="end"'))
    lines.append(_text((_WIDTH + _LEFT - _RIGHT) / 2, _HEIGHT - 12, "frames/s (logarithmic)", ' text-anchor="middle"'))
    for row in rows:
        if row.fps is None or row.accuracy is None:
            continue
        x, y = _at(row.fps, row.accuracy)
        colour = "#b35900" if not row.own else "#0b6e4f" if row.data == "CIFAR-10" else "#1f4e9c"
        if row.own:
            fill = "#fff" if row.fps_of.startswith("predicted") else colour
            lines.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{fill}" stroke="{colour}" stroke-width="2"/>')
        else:
            lines.append(f'<rect x="{x - 4.5:.1f}" y="{y - 4.5:.1f}" width="9" height="9" fill="{colour}"/>')
        # Own rows of a network lie side by side: only boards are named there.
        label = row.board if row.own else f"{row.network.partition(' (')[0]}, {row.board}"
        lines.append(_text(x, y - 10, label, ' text-anchor="middle"'))
    legend = (
        ("#0b6e4f", "this project, CIFAR-10"), ("#1f4e9c", "this project, Fashion-MNIST"),
        ("#b35900", "published, CIFAR-10, measured on the board"),
    )  # fmt: skip
    for place, (colour, text) in enumerate(legend):
        y = 38 + 16 * place
        lines.append(f'<rect x="{_LEFT + 15}" y="{y - 9}" width="9" height="9" fill="{colour}"/>')
        lines.append(_text(_LEFT + 30, y, text))
    lines.append(_text(_LEFT + 15, 86, "filled circle: simulated cycles, assumed clock"))
    lines.append(_text(_LEFT + 15, 102, "hollow circle: predicted by the cycle model, assumed clock"))
    return "\n".join([*lines, "</svg>", ""])


def main() -> None:
    """Print the table; write the plot where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, action="append", default=[], help="folder of a build; may be repeated")
    parser.add_argument("--svg", type=Path, help="where to write the plot")
    options = parser.parse_args()
    found = {(row.network, row.board): row for row in map(built, options.build)}
    # The integers are the same on every board: what one build measured of them holds for all.
    measured = {row.network: row for row in found.values() if row.accuracy_of.startswith("integers")}
    rows = []
    for name in NETWORKS:
        for board in BOARDS:
            row = found.get((name, board)) or predicted(name, board)
            if row is not None:
                known = measured.get(name, row)
                rows.append(replace(row, accuracy=known.accuracy, accuracy_of=known.accuracy_of))
    rows += PUBLISHED
    for line in table(rows):
        print(line)
    if options.svg is not None:
        options.svg.write_text(plot(rows))


if __name__ == "__main__":
    main()
