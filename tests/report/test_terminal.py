"""The report on terminals of any width."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from bvit_hw.report.engine import EnginePart, EngineRun
from bvit_hw.report.model import Accuracy, Die, FifoMemory, Resource
from bvit_hw.report.terminal import print_report
from bvit_hw.report.timing import EnableNet, Timing, TimingBetween, TimingPath

RESOURCES = {
    name: Resource(model=912_345.0, synthesized=known, budget=1_303_680.0, available=2_607_360.0)
    for name, known in (("lut", None), ("bram18", 812_345.0))
}
FIFO_MEMORY = [
    FifoMemory(kind="block RAM", fifos=21, bits=412_345, resource="bram18", model=55.0, synthesized=None),
    FifoMemory(kind="UltraRAM", fifos=9, bits=24_812_345, resource="uram", model=107.0, synthesized=106.0),
]
DIES = [
    Die(
        name=f"SLR{number}", kernel="bvit_accelerator", operators=123, leaves_bits=None,
        resources={
            "lut": Resource(model=used, synthesized=None, budget=262_500.0, available=375_000.0),
            "bram18": Resource(model=1.0, synthesized=600.0, budget=1_000.0, available=1_152.0),
        },
    )
    for number, used in ((0, 131_250.0), (1, 273_000.0))
]  # fmt: skip
TIMING = Timing(
    clock_ns=4.0, slowest=TimingPath(operator="b0.att", ns=3.25, levels=7, begin="count_q", end="score_q[3]"),
    between=TimingBetween(ns=5.5, levels=9, units=["b0.ctx", "b0.ctx.fork", "b0.att"], signal="ready"),
    endangers={"b0.a": 4.25, "b0.att": 5.5}, ready_chain=["b0.ctx", "b0.ctx.fork", "b0.att"],
    enable=EnableNet(operator="b0.p", net="go", fan_out=2_104), control_sets=519, control_sets_available=13_300,
    wire_ns=0.27, wire_doubling_ns=0.075, source="made up",
)  # fmt: skip
REPORT = SimpleNamespace(
    accuracy=Accuracy(
        data="digits", rtl=1.0, rtl_images=32, rtl_equal_to_frozen=True, qat=1.0, frozen=1.0, images=360
    ),
    board_title="AMD Alveo U280 (8 GB HBM2, 32 GB DDR4)", part="xcu280-fsvh2892-2L-e", clock_mhz=250.0,
    clock_note="assumed", summary=lambda: {"frames/s": "97,656"}, limited_by="stem.acc", resources=RESOURCES, hls=None,
    fifo_memory=FIFO_MEMORY, dies=DIES,
    steps=[SimpleNamespace(name="checkpoint", status="done", seconds=3.0, note=""),
           SimpleNamespace(name="synthesize", status="left out", seconds=0.0, note="--skip synthesize")],
    no_simulated_device="", synthesis_note="", architecture="streaming", architecture_note="", engine=None,
    timing=TIMING,
    bitstream=SimpleNamespace(built=True, note="", implementation=None, command=""),
    graphs={"export/model.onnx": "the network as QONNX"},
)  # fmt: skip


@pytest.mark.parametrize("width", [40, 80, 200])
def test_nothing_is_cut_off(width: int) -> None:
    out = io.StringIO()
    print_report(REPORT, Console(width=width, file=out))  # type: ignore[arg-type]
    text = out.getvalue()
    assert "…" not in text and all(word in text for word in ("resource", "bram18", "budget", "seconds", "left out"))
    assert width < 80 or all(word in text for word in ("block RAM", "UltraRAM", "107 uram", "not run"))
    digits = "".join(sign for sign in text if sign.isdigit())
    assert width < 80 or all(number in digits for number in ("912345", "2607360", "24812345107106"))
    assert all(word in text for word in ("SLR0", "50%", "104% !", "60%", "Netron: export/model.onnx"))


def test_what_endangers_the_clock_is_told() -> None:
    out = io.StringIO()
    print_report(REPORT, Console(width=120, file=out))  # type: ignore[arg-type]
    for said in (
        "endanger the clock of 4 ns, by estimate: b0.att (5.5 ns), b0.a (4.2 ns)",
        "slowest inside an operator: b0.att, 3.2 ns, 7 cells, to score_q[3]",
        "slowest between operators: 5.5 ns, 9 cells: b0.ctx -> b0.ctx.fork -> b0.att",
        "longest chain of ready: 3 operators, up to b0.att",
        "largest enable: 2,104 flip-flops of b0.p; control sets: 519 of 13,300",
    ):
        assert said in out.getvalue(), said
    out = io.StringIO()
    print_report(SimpleNamespace(**vars(REPORT) | {"timing": None}), Console(width=120, file=out))  # type: ignore[arg-type]
    assert "timing" not in out.getvalue()


def test_a_single_die_is_not_told() -> None:
    out = io.StringIO()
    print_report(SimpleNamespace(**vars(REPORT) | {"dies": DIES[:1]}), Console(width=80, file=out))  # type: ignore[arg-type]
    assert "SLR0" not in out.getvalue()


def test_a_simulated_device_that_is_left_out_is_told() -> None:
    for reason in ("left out by --no-simulated-device", ""):
        out = io.StringIO()
        report = SimpleNamespace(**vars(REPORT) | {"no_simulated_device": reason})
        print_report(report, Console(width=80, file=out))  # type: ignore[arg-type]
        assert (f"simulated device: {reason}" in out.getvalue()) == bool(reason)


def test_what_was_not_synthesized_by_itself_is_told() -> None:
    out = io.StringIO()
    report = SimpleNamespace(**vars(REPORT) | {"synthesis_note": "265 shapes"})
    print_report(report, Console(width=80, file=out))  # type: ignore[arg-type]
    assert "265 shapes" in out.getvalue()


@pytest.mark.parametrize("simulated", [True, False])
def test_an_engine_is_told_with_its_parts_and_what_was_simulated(simulated: bool) -> None:
    ran = {
        "images": 1, "asked": 32, "waiting": {"core": 60_123, "fetch": 9_001, "load": 50_002, "store": 77},
        "latency": 50, "cycles_hesitant": 190_555, "hesitant_latency": 100, "hesitates_in_16": 4,
    }  # fmt: skip
    engine = EngineRun(
        identity="ab" * 32, numbers={"tokens": 7}, commands=7_059, programme_bytes=8_000_000, dram_bytes=8_400_123,
        cycles_half_bandwidth=160_000,
        memories=[], units=[], **(ran if simulated else {}),  # type: ignore[arg-type]
        parts=[EnginePart(name=name, takes=takes, computing=1, filling=2, loading=3, fetching=4)
               for name, takes in (("stem", 30_000), ("b0", 90_000))],
    )  # fmt: skip
    resources = RESOURCES | {"dsp": Resource(model=None, synthesized=None, budget=176.0, available=220.0)}
    changed = {
        "engine": engine, "architecture": "engine", "architecture_note": "it does not fit", "fifo_memory": [],
        "dies": [], "resources": resources,
    }  # fmt: skip
    out = io.StringIO()
    print_report(SimpleNamespace(**vars(REPORT) | changed), Console(width=120, file=out))  # type: ignore[arg-type]
    text = out.getvalue()
    always = (
        "engine: it does not fit", "not modelled", "7,059 commands", "8,400,123 bytes", "90,000", "75%",
        "160,000 cycles, 75% of the rate",
    )  # fmt: skip
    for words in always:
        assert words in text
    for words in ("worked 60,123", "load 50,002", "190,555 cycles; logits equal", "1 of 32 images simulated"):
        assert (words in text) == simulated
