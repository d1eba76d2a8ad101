"""Benches for hardware operators: ``check_op`` plays frames through an operator's RTL and compares every output beat.

See README.md beside this file for how to use it in a test.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import cocotb_tools.config
import jinja2
import numpy as np
from held_beats import held_beats

from bvit_hw.errors import ToolError
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.verilator import build_model
from bvit_hw.ops.base import HwOp, IntArray, Memory, Params, Stream, packed, port_prefixes, ports_of
from bvit_hw.rtl_library import library, source_paths

SIM = Path(__file__).resolve().parent
PATTERNS = ("full", "starved", "stalled", "both", "reset")
#: simulated cycles a frame may differ from ``HwOp.cycles`` by this fraction
CYCLES_TOLERANCE = 0.02
#: cycles of a bench up to which compiling with optimization costs more than it saves (measured on MultiPool)
_FEW_CYCLES = 30_000
_TIMEOUT = 1800.0  # seconds; the bench itself finds hangs of the operator much earlier

_log = logging.getLogger(__name__)
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(SIM),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)


@dataclass(frozen=True, kw_only=True)
class DutStream:
    """A stream of the device under test: its name in the bench, bits that carry data, width of the tdata port.

    ``port`` is the prefix of the port, where that is not the stream's name; streams of one port are packed into it.
    """

    prefix: str
    width: int
    port_width: int
    port: str = ""


@dataclass(frozen=True, kw_only=True)
class Dut:
    """A device under test: any module with AXI-Streams, not only those of rtl/.

    ``parameters`` includes the file names of ``memories`` (file name -> contents, written into the run's folder).
    """

    module: str
    sources: tuple[Path, ...]
    inputs: tuple[DutStream, ...]
    outputs: tuple[DutStream, ...]
    parameters: Mapping[str, int | str] = field(default_factory=dict)
    memories: Mapping[str, Memory] = field(default_factory=dict)
    clock: str = "clk"
    reset: str = "rst"
    reset_active_low: bool = False
    upper: bool = False  #: ports end in _TDATA rather than _tdata
    defines: tuple[str, ...] = ()  #: macros of the preprocessor, as BVIT_CHECK
    files: tuple[Path, ...] = ()  #: copied into the run's folder, where $readmemh finds them

    def suffix(self, signal: str) -> str:
        """The end of a port's name: ``_tdata`` or ``_TDATA``."""
        return "_" + (signal.upper() if self.upper else signal)

    @property
    def connections(self) -> list[tuple[str, str]]:
        """Ports of the streams and what the bench connects to them."""
        found = []
        streams = [*self.inputs, *self.outputs]
        for port, members in ports_of([s.port or s.prefix for s in streams], streams).items():
            for signal in ("tdata", "tvalid", "tready"):
                names = [
                    f"{s.prefix}_{'padded' if signal == 'tdata' and s.port_width != s.width else signal}"
                    for s in members
                ]
                found.append((port + self.suffix(signal), packed(names)))
        return found


class Playable(Protocol):
    """What the bench asks of what it plays frames through; every HwOp answers it, so may whole subgraphs."""

    @property
    def inputs(self) -> tuple[Stream, ...]: ...

    @property
    def outputs(self) -> tuple[Stream, ...]: ...

    @property
    def cycles(self) -> int: ...

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]: ...


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What the simulation showed at full rate, in clock cycles; empty when "full" was not among the patterns."""

    cycles_per_frame: float = float("nan")  #: steady state, between last output beats of consecutive frames
    intervals: tuple[int, ...] = ()  #: between last output beats of consecutive frames, all frames
    latency_first: int = -1  #: first input beat taken to first output beat
    latency_last: int = -1  #: first input beat taken to last output beat of the first frame
    occupancy: Mapping[str, int] = field(default_factory=dict)  #: pattern -> most beats in a FIFO under test
    capacity: tuple[int, ...] = ()  #: beats that each input takes while no output is; needs the pattern "reset"


def find_sources(names: Sequence[str], override: Path | None = None) -> tuple[Path, ...]:
    """Paths of RTL files; a file of the same name in ``override`` (a mutation) comes before the one in rtl/."""
    found = []
    for path in source_paths(names):
        mutated = override / path.name if override is not None else path
        found.append(mutated if mutated.is_file() else path)
    return tuple(found)


def _streams(side: str, ports: Sequence[str], streams: Sequence[Stream]) -> tuple[DutStream, ...]:
    names = port_prefixes(side, len(ports))
    return tuple(
        DutStream(prefix=name, width=s.width, port_width=s.width, port=port)
        for name, port, s in zip(names, ports, streams, strict=True)
    )


def dut_of(op: HwOp, params: Params, sources_override: Path | None = None) -> Dut:
    """The operator's own module. Memory files get names that depend on the parameter only, so one model serves all."""
    instance = op.rtl(params)
    files = {name: f"{name.lower()}.mem" for name in instance.memories}
    return Dut(
        module=instance.module,
        sources=find_sources((*op.cell_models, *op.sources), sources_override),
        inputs=_streams("s", instance.inputs, op.inputs),
        outputs=_streams("m", instance.outputs, op.outputs),
        parameters={**instance.parameters, **files},
        memories={files[name]: memory for name, memory in instance.memories.items()},
    )


def simulate(
    model: Path,
    *,
    top: str,
    module: str,
    folder: Path,
    seed: int = 1,
    env: Mapping[str, str] | None = None,
    log_name: str = "sim.log",
) -> None:
    """Run a cocotb model in ``folder`` with the tests of the Python module ``module``; AssertionError if one fails."""
    # By a name without the spaces and the $ that LD_PRELOAD would split it at and expand.
    preloaded = folder / "model.so"
    preloaded.unlink(missing_ok=True)
    preloaded.symlink_to(model.resolve())
    libraries = [cocotb_tools.config.libs_dir, os.environ.get("LD_LIBRARY_PATH")]
    environment = {
        **os.environ,
        # What cocotb_tools.runner sets; it has no timeout and ends the interpreter on a failure, so it is not used.
        "GPI_USERS": cocotb_tools.config.pygpi_entry_point(),
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join([str(SIM), str(SIM.parent), *sys.path]),
        "COCOTB_TOPLEVEL": top,
        "COCOTB_TEST_MODULES": module,
        "TOPLEVEL_LANG": "verilog",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "COCOTB_RESULTS_FILE": str(folder / "results.xml"),
        "COCOTB_RANDOM_SEED": str(seed),
        # What a broken unit does in the other tests says nothing new, and a hang takes its time in each.
        "COCOTB_MAX_FAILURES": "1",
        "LD_PRELOAD": "./model.so",
        "LD_LIBRARY_PATH": os.pathsep.join(str(folder) for folder in libraries if folder),
        **(env or {}),
    }
    environment.pop("PYTEST_CURRENT_TEST", None)
    # Registers and memories without reset start with random contents, so that a forgotten reset is found.
    argv = [sys.executable, "+verilator+rand+reset+2", f"+verilator+seed+{seed % 0x7FFFFFFF + 1}"]
    run = run_tool(top, argv, cwd=folder, log=folder / log_name, env=environment, timeout=_TIMEOUT, check=False)
    failures = _failures(folder / "results.xml")
    if run.returncode != 0 or failures is None or failures:
        # An assertion in the RTL ends the simulation; its words are in the log only.
        words = [line for line in run.output.splitlines() if "%Error" in line] + (failures or [])
        raise AssertionError(
            "\n".join([f"simulation failed (exit code {run.returncode}, seed {seed}; log: {run.log})", *words[:20]])
        )


def _failures(results: Path) -> list[str] | None:
    """Messages of the failed tests, or None when there are no results (the simulation was stopped)."""
    if not results.is_file():
        return None
    try:
        cases = list(ElementTree.parse(results).getroot().iter("testcase"))
    except ElementTree.ParseError:
        return None
    if not cases:
        return None
    return [
        f"{case.get('name')}: {problem.get('message') or problem.get('error_msg') or problem.text or 'failed'}"
        for case in cases
        for problem in [*case.findall("failure"), *case.findall("error")]
    ]


def cocotb_model(
    sources: Sequence[Path],
    top: str,
    parameters: Mapping[str, int | str] | None = None,
    *,
    defines: Sequence[str] = (),
    cycles: int | None = None,
) -> Path:
    """The (cached) library of ``top`` linked with cocotb, for ``simulate``.

    Only signals marked public in the source are visible. ``defines`` are macros of the preprocessor. What runs for few
    ``cycles`` is not optimized: it compiles in half the time.
    """
    libs = Path(cocotb_tools.config.libs_dir)
    return build_model(
        sources,
        top,
        parameters=parameters,
        cpp=[Path(cocotb_tools.config.share_dir) / "lib" / "verilator" / "verilator.cpp", SIM / "inside_python.cpp"],
        flags=["--vpi", "--assert", "-Wno-fatal", "--x-assign", "unique", "--x-initial", "unique",
               "--timescale", "1ns/1ps", *(f"+define+{name}" for name in defines)],
        cflags="-fPIC",
        optimize="-O0" if cycles is not None and cycles <= _FEW_CYCLES else "-Os",
        ldflags="-shared -Wl,-Bsymbolic -ldl",
        libraries=[libs / "libcocotbvpi_verilator.so"],
    )  # fmt: skip


def bench_model(dut: Dut, folder: Path, cycles: int) -> Path:
    """Write bench_top.sv around ``dut`` into ``folder`` and build it to run for about ``cycles``."""
    top = folder / "bench_top.sv"
    top.write_text(_TEMPLATES.get_template("bench_top.sv.j2").render(dut=dut))
    shared = [SIM / "bench_source.sv", SIM / "bench_sink.sv", *source_paths(["bvit_axis_check.sv"])]
    extra = [path for path in shared if path.name not in {s.name for s in dut.sources}]
    return cocotb_model([*dut.sources, *extra, top], "bench_top", defines=dut.defines, cycles=cycles)


def mutant(folder: Path, name: str, old: str, new: str) -> Path:
    """A copy in ``folder`` of the RTL file ``name`` with its first ``old`` replaced, for ``sources_override``."""
    text = library()[name].read_text()
    assert old in text, f"mutation of {name}: there is no {old!r} in it; it has changed, adapt the mutation"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text.replace(old, new, 1))
    return folder


def assert_caught(op: HwOp, params: Params, frames: Sequence[np.ndarray | Sequence[np.ndarray]], mutated: Path) -> None:
    """Fail unless the bench finds the fault in the RTL of the folder ``mutated``, which must still compile."""
    try:
        check_op(op, params, frames, sources_override=mutated)
    except AssertionError as caught:
        _log.info("caught: %s", str(caught).splitlines()[1:2])
        for folder in Path(tempfile.gettempdir()).glob("bvit-sim-*"):
            if str(folder) in str(caught):
                shutil.rmtree(folder, ignore_errors=True)
        return
    raise AssertionError(f"{op}: the bench did not notice the mutation in {mutated}")


def _write_beats(path: Path, width: int, beats: Sequence[int]) -> None:
    digits = (width + 3) // 4
    path.write_text("".join(f"{beat:0{digits}x}\n" for beat in beats))


def _per_frame(frames: Sequence[object], inputs: int) -> list[tuple[np.ndarray, ...]]:
    """Frames as one tuple of arrays each; with one input stream a bare array will do."""
    result = []
    for frame in frames:
        arrays = (frame,) if isinstance(frame, np.ndarray) else tuple(frame)  # type: ignore[arg-type]
        assert len(arrays) == inputs, f"a frame has {len(arrays)} arrays, the operator {inputs} input streams"
        result.append(tuple(np.asarray(a) for a in arrays))
    return result


def random_frame(op: HwOp, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """One frame for every input stream, uniform over the whole range of its lanes."""
    return tuple(rng.integers(s.low, s.high, (s.tokens, s.channels), endpoint=True) for s in op.inputs)


def check_op(
    op: Playable,
    params: Params,
    frames: Sequence[np.ndarray | Sequence[np.ndarray]],
    *,
    patterns: Sequence[str] = PATTERNS,
    seed: int = 1,
    min_frames: int = 4,
    sources_override: Path | None = None,
    dut: Dut | None = None,
    check_cycles: bool = True,
) -> Measurements:
    """Play ``frames`` back to back through the operator's RTL under each traffic pattern; AssertionError on any fault.

    A frame is one array (tokens x channels) for each input stream, a bare array with one stream. The frames are
    repeated until there are ``min_frames``. Expected beats come from ``op.golden``. Under "full" the steady state's
    cycles a frame must equal ``op.cycles`` within 2 % (unless ``check_cycles`` is False). Under "reset" a unit that
    exists to hold beats must hold as many as it promises (held_beats.py). ``dut`` puts another device
    (from HLS, a mutation, a subgraph) in the place of the operator's own module; without it ``op`` is an HwOp. The
    run's folder is kept when it fails.
    """
    unknown = set(patterns) - set(PATTERNS)
    assert not unknown, f"unknown patterns {sorted(unknown)}; there are {PATTERNS}"
    given = _per_frame(frames, len(op.inputs))
    assert given, "no frames"
    count = max(min_frames, len(given))
    golden = [op.golden(params, *frame) for frame in given]
    held = None
    if dut is None:
        assert isinstance(op, HwOp), f"{op}: has no module of its own, give dut"
        dut = dut_of(op, params, sources_override)
        held = held_beats(op)
    folder = Path(tempfile.mkdtemp(prefix=f"bvit-sim-{dut.module}-"))

    def beats(stream: Stream, arrays: Sequence[np.ndarray]) -> list[int]:
        packed = [stream.pack(array) for array in arrays]
        return [beat for n in range(count) for beat in packed[n % len(packed)]]

    for i, stream in enumerate(op.inputs):
        _write_beats(folder / f"in{i}.hex", stream.width, beats(stream, [frame[i] for frame in given]))
    for i, stream in enumerate(op.outputs):
        _write_beats(folder / f"exp{i}.hex", stream.width, beats(stream, [outs[i] for outs in golden]))
    for name, memory in dut.memories.items():
        memory.write(folder / name)
    for file in dut.files:
        shutil.copyfile(file, folder / file.name)
    totals = [count * s.beats for s in op.inputs]
    config = {
        "inputs": len(op.inputs),
        "outputs": len(op.outputs),
        "in_total": totals,
        "out_beats": [s.beats for s in op.outputs],
        "frames": count,
        "cycles": op.cycles,
        "seed": seed,
    }
    (folder / "bench.json").write_text(json.dumps(config))
    model = bench_model(dut, folder, op.cycles * count * len(patterns))
    _log.info("%s: patterns %s, %d frames, seed %d, in %s", op, ",".join(patterns), count, seed, folder)
    environment = {"BVIT_BENCH_PATTERNS": json.dumps(list(patterns))}
    simulate(model, top="bench_top", module="bench_cocotb", folder=folder, seed=seed, env=environment)
    measured = _measure(folder / "full.json", [s.beats for s in op.outputs], count) if "full" in patterns else None
    if measured and check_cycles:
        difference = abs(measured.cycles_per_frame - op.cycles)
        assert difference <= CYCLES_TOLERANCE * op.cycles, (
            f"{op}: {measured.cycles_per_frame} cycles a frame simulated, {op.cycles} in the model; "
            f"intervals {measured.intervals}; run: {folder}"
        )
    occupancy, capacity = folder / "occupancy.json", folder / "capacity.json"
    result = replace(
        measured or Measurements(),
        occupancy=json.loads(occupancy.read_text()) if occupancy.is_file() else {},
        capacity=tuple(json.loads(capacity.read_text())) if capacity.is_file() else (),
    )
    due = tuple(min(n, total) for n, total in zip(held, totals, strict=True)) if held is not None else None
    assert due is None or result.capacity in ((), due), (
        f"{op}: takes {result.capacity} beats while no output is taken, {due} are due; run: {folder}"
    )
    shutil.rmtree(folder)
    return result


def _measure(path: Path, beats: Sequence[int], frames: int) -> Measurements:
    """From the cycle stamps of all output beats."""
    if not path.is_file():
        raise ToolError(f"bench: the full-rate run left no {path}")
    data = json.loads(path.read_text())
    # A frame is out when the slowest of its output streams is.
    ends = [max(s[(n + 1) * b - 1] for s, b in zip(data["stamps"], beats, strict=True)) for n in range(frames)]
    intervals = [after - before for before, after in itertools.pairwise(ends)]
    # The first frame fills the pipeline and the last has none behind it: neither is steady state.
    steady = intervals[1:-1] or intervals[1:] or intervals
    return Measurements(
        cycles_per_frame=float(np.mean(steady)) if steady else float("nan"),
        intervals=tuple(intervals),
        latency_first=min(s[0] for s in data["stamps"]) - data["first_in"],
        latency_last=ends[0] - data["first_in"],
    )
