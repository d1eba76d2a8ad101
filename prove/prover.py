"""Formal proofs: a wrapper is read by Yosys, made an and-inverter graph and decided by ABC, both from the wheel pyosys.

``pdr`` (property-directed reachability, also called IC3) proves for sequences of any length: it finds the inductive
invariant itself. Where it does not close, ``bmc3`` shows that no sequence up to a stated number of cycles fails. Where
a wrapper states what the module's registers hold, ``ind`` proves for any length by induction.
See README.md beside this file.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bvit_hw.disk import write_aside

PROVE = Path(__file__).resolve().parent
RTL = PROVE.parent / "rtl"

#: The front end that synthesis uses as well. Undefined values become free inputs: what depends on them is not proven.
#: dffunmap turns enables and resets into logic; -zinit gives every register without initial value a free one.
_SCRIPT = """\
read_slang --top {top} -I {prove} {defines} {parameters} {sources}
prep -top {top}
flatten
async2sync
memory_map -formal
chformal -lower
opt -fast
techmap
opt -fast
setundef -undriven -anyseq
dffunmap
simplemap
aigmap
opt_clean
write_aiger -zinit -ywmap model.json -map model.map -symbols model.aig
"""
#: what may be a module of ours, or a cell of the vendor that we have a model of
_MODULE = re.compile(r"\b(?:(?:bvit|fv)_\w+|LUT6(?:_2)?|CARRY[48])\b")
#: contents of a read-only memory, which a wrapper names; without any, every read of it would give what it likes
_MEMORY = re.compile(r"\"(\w+\.mem)\"")
#: of a proof by induction: in which every cover point must be reached; in which a fault is looked for
_COVER_CYCLES, _SEARCH_CYCLES = 80, 40
_YOSYS = """\
import sys
from pyosys import libyosys
libyosys.run_pass("script model.ys", libyosys.Design())
"""


class ProofError(Exception):
    """A tool refused its input or ended without an answer; the message says which, and where its log is."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """A wrapper at one set of parameters.

    ``bound`` None asks for a proof for sequences of any length; a number for one up to so many cycles. With
    ``induction`` the proof is of any length too, by induction over so many cycles: what is asserted of the module's
    registers has to imply the rest. ``quick`` tasks are part of `make test`.
    """

    top: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    bound: int | None = None
    induction: int | None = None
    quick: bool = False
    seconds: int = 900  #: after which the engine gives up, and the task fails

    @property
    def name(self) -> str:
        """As in the table of docs/proofs.md."""
        values = ",".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.top.removeprefix('fv_')}[{values}]"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """``refuted`` maps an assertion to the cycle in which it can fail, ``reached`` a cover point to its first cycle."""

    proven: tuple[str, ...]
    refuted: Mapping[str, int]
    undecided: tuple[str, ...]
    reached: Mapping[str, int]
    unreached: tuple[str, ...]
    seconds: float

    @property
    def holds(self) -> bool:
        """Everything asserted is proven, every cover point reached, and there is at least one of each."""
        bad = self.refuted or self.undecided or self.unreached
        return not bad and bool(self.proven) and bool(self.reached)

    def __str__(self) -> str:
        parts = [f"{len(self.proven)} proven, {len(self.reached)} covered"]
        parts += [f"REFUTED {name} in cycle {cycle}" for name, cycle in self.refuted.items()]
        parts += [f"UNDECIDED {name}" for name in self.undecided]
        parts += [f"NOT REACHED {name}" for name in self.unreached]
        return "; ".join(parts)


def sources_of(top: str, override: Mapping[str, str] | None = None) -> dict[str, str]:
    """File name -> text of all files that ``top`` is built of; a text in ``override`` comes before the file."""
    files = {path.name: path for path in (*RTL.rglob("*.sv"), *PROVE.glob("*.sv"), *PROVE.glob("*.mem"))}
    found: dict[str, str] = {}
    wanted = [f"{top}.sv"]
    while wanted:
        name = wanted.pop()
        if name in found or name not in files:
            continue
        text = (override or {}).get(name) or files[name].read_text()
        found[name] = text
        wanted += [f"{word}.sv" for word in _MODULE.findall(text)] + _MEMORY.findall(text)
    if f"{top}.sv" not in found:
        there = ", ".join(sorted(path.stem for path in PROVE.glob("*.sv")))
        raise ProofError(f"there is no {top}.sv in {PROVE}; there are {there}")
    return found


def key_of(task: Task, sources: Mapping[str, str]) -> str:
    """Hash of all that the outcome depends on; a comment does not count."""
    bare = {name: re.sub(r"//.*", "", text) for name, text in sources.items()}
    header = re.sub(r"//.*", "", (PROVE / "fv.svh").read_text())
    parts = [
        _SCRIPT, header, sorted(bare.items()), task.top, sorted(task.parameters.items()), task.bound,
        *([] if task.induction is None else [task.induction]),
        importlib.metadata.version("pyosys"),
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def cache_folder() -> Path:
    """Where outcomes are kept; BVIT_PROOF_CACHE names another place."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("BVIT_PROOF_CACHE") or Path(base) / "bvit-hw" / "proofs")


def prove(task: Task, override: Mapping[str, str] | None = None, *, use_cache: bool = True) -> Outcome:
    """Decide ``task``; ``override`` (file name -> text) puts broken RTL into the place of what is in rtl/."""
    sources = sources_of(task.top, override)
    cached = cache_folder() / f"{key_of(task, sources)}.json"
    if use_cache and cached.is_file():
        stored = json.loads(cached.read_text())
        return Outcome(**{name: tuple(v) if isinstance(v, list) else v for name, v in stored.items()})
    started = time.monotonic()
    proven, refuted, undecided = _decide(task, sources, covering=False)
    # Nothing is asked of a module that is wrong.
    covered: tuple[tuple[str, ...], dict[str, int], tuple[str, ...]] = ((), {}, ())
    never, reached, unreached = covered if refuted else _decide(task, sources, covering=True)
    outcome = Outcome(
        proven=proven,
        refuted=refuted,
        undecided=undecided,
        reached=reached,
        unreached=(*never, *unreached),
        seconds=round(time.monotonic() - started, 1),
    )
    # A machine too slow to decide today may decide tomorrow: only answers are kept.
    if use_cache and not undecided:
        _keep(cached, json.dumps(asdict(outcome)))
    return outcome


def _keep(path: Path, text: str) -> None:
    """Whole or not at all; a cache that cannot be written costs time only."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, text)


def _decide(
    task: Task, sources: Mapping[str, str], *, covering: bool
) -> tuple[tuple[str, ...], dict[str, int], tuple[str, ...]]:
    """Assertions of the model that are proven, refuted (with the cycle) and undecided."""
    with tempfile.TemporaryDirectory(prefix="bvit-prove-") as name:
        folder = Path(name)
        asserts = _elaborate(task, sources, folder, covering=covering)
        if not asserts:
            return (), {}, ()
        if task.induction is not None:
            return _cover(task, asserts, folder) if covering else _induct(task, asserts, folder)
        # bmc3 stops at the first output that can fail: its -a, which goes on, crashes in the wheel's ABC.
        bounded = task.bound is not None and not covering
        engine = f"bmc3 -F {task.bound} -T {task.seconds}" if bounded else f"pdr -a -T {task.seconds}"
        output = _abc(task, engine, folder)
    failing = re.findall(r"Output\s+(\d+)\s+(?:of miter\s+\S+\s+)?was asserted in frame\s+(\d+)", output)
    refuted = {asserts[int(number)]: int(cycle) for number, cycle in failing}
    proven: set[str] = set()
    if bounded:
        # Said only when no output failed; with a time limit it may stop before the bound.
        done = re.search(r"No output (?:failed|asserted) in (\d+) frames", output)
        if done and int(done.group(1)) >= (task.bound or 0):
            proven = set(asserts)
    else:
        proven = {asserts[int(n)] for n in re.findall(r"Proved output\s+(\d+)\s", output)}
    left = [name for name in asserts if name not in refuted and name not in proven]
    return tuple(sorted(proven)), dict(sorted(refuted.items())), tuple(sorted(left))


def _induct(task: Task, asserts: list[str], folder: Path) -> tuple[tuple[str, ...], dict[str, int], tuple[str, ...]]:
    """The step, of all of them together (ABC's `ind` is that alone), and the base: none fails in the first cycles.

    Where the step does not hold, what fails may take longer to be seen than the base is long.
    """
    step = "Networks are equivalent" in _abc(task, f"orpos; ind -F {task.induction} -T {task.seconds}", folder)
    cycles = task.induction if step else _SEARCH_CYCLES
    output = _abc(task, f"bmc3 -F {cycles} -T {task.seconds}", folder)
    failing = re.findall(r"Output\s+(\d+)\s+(?:of miter\s+\S+\s+)?was asserted in frame\s+(\d+)", output)
    refuted = {asserts[int(number)]: int(cycle) for number, cycle in failing}
    left = tuple(sorted(name for name in asserts if name not in refuted))
    holds = step and not refuted and f"No output asserted in {cycles} frames" in output
    return (left, {}, ()) if holds else ((), refuted, left)


def _cover(task: Task, points: list[str], folder: Path) -> tuple[tuple[str, ...], dict[str, int], tuple[str, ...]]:
    """Each by itself: the first that is reached would end the search for the others, and `pdr` is slow at it."""
    reached: dict[str, int] = {}
    for number, name in enumerate(points):
        output = _abc(task, f"cone -O {number}; scleanup; bmc3 -F {_COVER_CYCLES} -T {task.seconds}", folder)
        if found := re.search(r"was asserted in frame\s+(\d+)", output):
            reached[name] = int(found.group(1))
    return (), reached, tuple(sorted(set(points) - set(reached)))


def _abc(task: Task, commands: str, folder: Path) -> str:
    script = f"read_aiger model.aig; fold; strash; {commands}"
    return _run([str(_pyosys() / "yosys-abc"), "-q", script], folder, f"{task.name}: yosys-abc")


def _elaborate(task: Task, sources: Mapping[str, str], folder: Path, *, covering: bool) -> list[str]:
    """Write model.aig into ``folder``; the names of its outputs in their order."""
    for name, text in sources.items():
        (folder / name).write_text(text)
    (folder / "model.ys").write_text(
        _SCRIPT.format(
            top=task.top,
            prove=PROVE,
            defines="-D FV_COVER" if covering else "",
            parameters=" ".join(f"-G {name}={value}" for name, value in task.parameters.items()),
            sources=" ".join(sorted(name for name in sources if name.endswith(".sv"))),
        )
    )
    _pyosys()
    _run([sys.executable, "-c", _YOSYS], folder, f"{task.name}: Yosys")
    model = json.loads((folder / "model.json").read_text())
    return [".".join(part.lstrip("\\") for part in path) for path in model["asserts"]]


def _pyosys() -> Path:
    """The package's folder, which brings ABC."""
    spec = importlib.util.find_spec("pyosys")
    if spec is None or not spec.submodule_search_locations:
        raise ProofError("the Python package pyosys is not installed; to get it: pip install pyosys")
    return Path(spec.submodule_search_locations[0])


def _run(argv: list[str], folder: Path, what: str) -> str:
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, errors="replace", check=False)
    output = done.stdout + done.stderr
    if done.returncode != 0:
        raise ProofError(f"{what} ended with exit code {done.returncode}:\n{output[-3000:]}")
    return output
