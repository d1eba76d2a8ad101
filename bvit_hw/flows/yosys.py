"""Synthesis estimates by Yosys: what each operator takes of an FPGA, counted from mapped cells, and its longest paths.

Many instances are synthesized in one process, each kept apart from the others by a wrapper module that may not be
dissolved, so that the start-up of Yosys is paid once and every instance still gets its own count.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bvit_hw.errors import ToolError
from bvit_hw.flows import sta
from bvit_hw.flows.cache import recall, remember
from bvit_hw.flows.tool import run_tool, stop_running_tools
from bvit_hw.ops.base import HwOp, Params, Resources, ports_of
from bvit_hw.rtl_library import source_paths
from bvit_hw.targets import Target
from bvit_hw.templates import templates
from bvit_hw.threads import usable_cores

#: expected LUTs of one Yosys process at most: larger ones would leave the progress display silent for minutes
_MOST_LUTS = 4000.0
#: the module that holds the instances of one process
_TOP = "bag"

TEMPLATES = templates("bvit_hw.flows")


def _literal(value: int | str) -> str:
    """A parameter's value in SystemVerilog: based literals as they are, other text in quotation marks."""
    return f'"{value}"' if isinstance(value, str) and "'" not in value else str(value)


TEMPLATES.filters["literal"] = _literal

# Yosys has a shell start ABC by its full path, and ABC splits its own script at spaces: neither takes any path. What
# they are told of is called from the folder that they run in, which ABC's files call by the one name without a space.
_WORK = "/proc/self/cwd"
_PROGRAM = """\
import sys, pyosys
sys._pyosys_share_dirname, sys._pyosys_abc = "kit/share/", "kit/yosys-abc"
sys.path.insert(0, "")
from pyosys import libyosys as ys
import dsp_sums, lut_tables
ys.run_pass("script synth.ys", ys.Design())
"""
#: the passes of ours that targets' scripts call
_PASSES = tuple(Path(__file__).with_name(name) for name in ("lut_tables.py", "dsp_sums.py"))
#: writes what each instance was mapped to
_NETLIST = "select job_*\nwrite_json -selected netlist.json\nselect -clear\n"


def _package() -> Path:
    """The folder of the package pyosys; ToolError where it is not installed."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or not spec.submodule_search_locations:
        raise ToolError(
            "yosys: the Python package 'pyosys' is not installed; it counts what the RTL takes of an FPGA. "
            "To get it: pip install pyosys (it comes with bvit-hw)"
        )
    return Path(spec.submodule_search_locations[0]).resolve()


@dataclass(frozen=True, kw_only=True)
class SynthJob:
    """One module instance to be counted.

    ``inputs`` and ``outputs`` map AXI-Stream prefixes to the tdata widths of their streams, in bits; several streams
    are packed into one port. ``memories`` maps file names (as the parameters spell them) to their text.
    """

    name: str
    module: str
    sources: tuple[Path, ...]
    parameters: Mapping[str, int | str]
    inputs: Mapping[str, Sequence[int]]
    outputs: Mapping[str, Sequence[int]]
    memories: Mapping[str, str] = field(default_factory=dict)
    #: ports that belong to no stream: (direction, name, width in bits)
    others: tuple[tuple[str, str, int], ...] = ()
    #: expected LUTs, to balance the processes
    weight: float = 1.0

    @property
    def signals(self) -> tuple[tuple[str, str, int], ...]:
        """All ports but clock and reset: (direction, name, width in bits)."""
        found: list[tuple[str, str, int]] = []
        for streams, there, back in ((self.inputs, "input", "output"), (self.outputs, "output", "input")):
            for prefix, widths in streams.items():
                found += [(there, f"{prefix}_tdata", sum(widths)), (there, f"{prefix}_tvalid", len(widths))]
                found.append((back, f"{prefix}_tready", len(widths)))
        return (*found, *self.others)

    def key(self, target: Target) -> str:
        """Hash of all that count and timing on ``target`` depend on."""
        digest = hashlib.sha256()
        for source in self.sources:
            digest.update(source.read_bytes())
        for source in _PASSES:
            digest.update(source.read_bytes())
        if target.delays is not None:
            digest.update(Path(sta.__file__).read_bytes())
            digest.update(Path(str(sys.modules[target.delays.of.__module__].__file__)).read_bytes())
        parts = [
            target.script((), top=_TOP),
            importlib.metadata.version("pyosys"),
            repr(target.cells),
            self.module,
            sorted(self.parameters.items()),
            self.signals,
            sorted(self.memories.items()),
        ]
        digest.update(json.dumps(parts).encode())
        return digest.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Analysed:
    """What is known of a job: what it takes, and its timing (None where the target knows no delays)."""

    resources: Resources
    timing: sta.UnitTiming | None

    @property
    def text(self) -> str:
        """As it is kept; :meth:`read` is its inverse."""
        timing = None if self.timing is None else self.timing.as_json()
        return json.dumps({"resources": asdict(self.resources), "timing": timing})

    @classmethod
    def read(cls, text: str) -> Analysed:
        """From :attr:`text`; ValueError, TypeError or KeyError for another text."""
        found = json.loads(text)
        timing = None if found["timing"] is None else sta.UnitTiming.read(found["timing"])
        return cls(resources=Resources(**found["resources"]), timing=timing)


def job_of(name: str, op: HwOp, params: Params) -> SynthJob:
    """The job that counts one operator with its real memory contents."""
    instance = op.rtl(params)
    parameters = dict(instance.parameters)
    memories = {}
    for parameter, memory in instance.memories.items():
        # Content-addressed file names: two instances of a bag cannot mix up their contents.
        file = hashlib.sha256(memory.text.encode()).hexdigest()[:16] + ".mem"
        memories[file] = memory.text
        parameters[parameter] = file
    return SynthJob(
        name=name,
        module=instance.module,
        sources=tuple(source_paths((*op.cell_models, *op.sources))),
        parameters=parameters,
        inputs=ports_of(instance.inputs, [s.width for s in op.inputs]),
        outputs=ports_of(instance.outputs, [s.width for s in op.outputs]),
        memories=memories,
        weight=max(op.resources().lut, 1.0),
    )


def _cells_by_type(module: Mapping[str, object]) -> dict[str, int]:
    cells = module["num_cells_by_type"]
    assert isinstance(cells, dict)
    return {str(k).lstrip("\\"): int(v) for k, v in cells.items()}


def run_script(work: Path, script: str, sources: Iterable[Path]) -> None:
    """Run Yosys in the folder ``work`` with copies of ``sources``; ToolError, naming the log, where it fails."""
    for source in (*sources, *_PASSES):
        shutil.copyfile(source, work / source.name)
    (work / "synth.ys").write_text(script)
    (work / "kit").unlink(missing_ok=True)
    (work / "kit").symlink_to(_package(), target_is_directory=True)
    env = {**os.environ, "TMPDIR": _WORK}
    run_tool("yosys", [sys.executable, "-c", _PROGRAM], cwd=work, log=work / "yosys.log", env=env)


def _run_bag(jobs: Sequence[SynthJob], target: Target, work: Path) -> list[Analysed]:
    work.mkdir(parents=True, exist_ok=True)
    (work / f"{_TOP}.sv").write_text(TEMPLATES.get_template("yosys_bag.sv.j2").render(jobs=jobs))
    for job in jobs:
        for file, text in job.memories.items():
            (work / file).write_text(text)
    sources = list(dict.fromkeys(source for job in jobs for source in job.sources))
    script = target.script([source.name for source in sources], top=_TOP)
    run_script(work, script + (_NETLIST if target.delays is not None else ""), sources)
    counts = _modules((work / "stat.json").read_text())
    resources = [target.cells.count(_cells_by_type(counts[f"job_{j}"])) for j in range(len(jobs))]
    timings: list[sta.UnitTiming | None] = [None] * len(jobs)
    if target.delays is not None:
        mapped = _modules((work / "netlist.json").read_text())
        timings = [
            sta.unit_timing(mapped[f"job_{j}"], target.delays, job.inputs, job.outputs) for j, job in enumerate(jobs)
        ]
    return [Analysed(resources=r, timing=t) for r, t in zip(resources, timings, strict=True)]


def _modules(text: str) -> dict[str, Mapping[str, object]]:
    """Modules of a JSON text of Yosys, which may follow other lines, by their names without what is added to them."""
    modules = json.loads(text[text.index("{") :])["modules"]
    return {name.lstrip("\\").split("$")[0]: module for name, module in modules.items()}


def _bags(jobs: Iterable[SynthJob], limit: float) -> list[list[SynthJob]]:
    """Jobs put together so that a bag holds about ``limit`` LUTs, the largest first."""
    bags: list[list[SynthJob]] = []
    room = 0.0
    for job in sorted(jobs, key=lambda j: -j.weight):
        if not bags or room < job.weight:
            bags.append([])
            room = limit
        bags[-1].append(job)
        room -= job.weight
    return bags


def synthesize(
    jobs: Sequence[SynthJob],
    *,
    target: Target,
    work: Path,
    cache: Path | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Resources]:
    """Count every job's cells; see :func:`analyse`."""
    found = analyse(jobs, target=target, work=work, cache=cache, processes=processes, progress=progress)
    return {name: each.resources for name, each in found.items()}


def analyse(
    jobs: Sequence[SynthJob],
    *,
    target: Target,
    work: Path,
    cache: Path | None = None,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Analysed]:
    """Count and time every job; identical ones are synthesized once, known ones are taken from the cache
    (the user's, or the folder ``cache``).

    ``progress`` is called with jobs done and jobs in all.
    Raises ToolError, naming the log, when Yosys fails.
    """
    keys = {job.name: job.key(target) for job in jobs}
    unique = {keys[job.name]: job for job in jobs}
    counts: dict[str, Analysed] = {}
    for key in unique:
        known = recall("yosys", f"{key}.txt", root=cache)
        # What another version wrote, or a machine that lost its power, is counted again.
        with suppress(ValueError, TypeError, KeyError):
            if known is not None:
                counts[key] = Analysed.read(known)
    todo = [job for key, job in unique.items() if key not in counts]
    workers = processes or min(usable_cores(), 4)
    total = sum(job.weight for job in todo)
    bags = _bags(todo, min(max(total / (4 * workers), 200.0), _MOST_LUTS))
    done = len(counts)
    if progress:
        progress(done, len(unique))
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(_run_bag, bag, target, work / f"bag{i}"): bag for i, bag in enumerate(bags)}
        try:
            for future in as_completed(futures):
                for job, found in zip(futures[future], future.result(), strict=True):
                    key = keys[job.name]
                    counts[key] = found
                    remember("yosys", f"{key}.txt", found.text, root=cache)
                done += len(futures[future])
                if progress:
                    progress(done, len(unique))
        except BaseException:
            # Ctrl-C, or one bag failed: the pool would wait for all the others.
            pool.shutdown(wait=False, cancel_futures=True)
            stop_running_tools()
            raise
    return {name: counts[key] for name, key in keys.items()}
