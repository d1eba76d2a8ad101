"""Runs the benches against mutants, one after the other or several at once, and keeps a journal of what came out."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from bvit_hw.flows.cache import cache_folder, locked

from . import benches
from .mutants import Mutant, mutants_of

#: noticed by a bench, by its own limit of processor seconds, by a proof; noticed by none; does not elaborate; the
#: run itself went wrong. ``untried``: no bench came to build it
OUTCOMES = ("killed", "timeout", "proof", "survived", "invalid", "error")
KILLS = ("killed", "timeout", "proof")
#: processor seconds of one simulation: those that pass take a few
CPU_SECONDS = 60
#: seconds, by the clock, of all the benches of one mutant
PATIENCE = 1200.0
#: a mutant that does not elaborate in so many tests does not in any
_INVALID = 4
LIST = Path(__file__).with_name("survivors.toml")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Result:
    """One line of the journal. ``text`` and ``benches`` are what it depends on."""

    id: str
    module: str
    kind: str
    outcome: str
    by: str  #: the test or proof that noticed it
    why: str
    tests: int  #: how many tests built it
    seconds: float
    text: str
    benches: str


def modules() -> dict[str, Path]:
    """Name -> file of every module that is ours (not the vendor's models, nor packages, which are no circuits)."""
    files = sorted((benches.ROOT / "rtl").rglob("*.sv"))
    return {path.stem: path for path in files if path.parent.name != "models" and not path.stem.endswith("_pkg")}


def _hash(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


class Journal:
    """JSON lines, one for each mutant that was tried; the last line of a mutant counts.

    A kill, and a text that does not elaborate, stay so while the mutated text is the same; a survivor is tried again
    when benches change.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.results: dict[str, Result] = {}
        for line in path.read_text().splitlines() if path.is_file() else ():
            try:
                result = Result(**json.loads(line))
            except (ValueError, TypeError):  # the last line of a run that was cut off
                continue
            self.results[result.id] = result

    def add(self, result: Result) -> None:
        """Append at once: what is done stays done."""
        with self._lock:
            self.results[result.id] = result
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a") as stream:
                stream.write(json.dumps(asdict(result)) + "\n")

    def find(self, mutant: Mutant, text: str, state: str) -> Result | None:
        """What is known of a mutant, unless it has to be tried again."""
        known = self.results.get(mutant.id)
        if known is None or known.text != text or known.outcome == "error":
            return None
        return known if known.outcome != "survived" or known.benches == state else None


class _Worker:
    """A copy of the repository, and what its mutants are judged with; ``sound`` is shared by all workers."""

    def __init__(self, folder: Path, baselines: Path, sound: dict[str, bool]) -> None:
        self.folder = folder
        self.tree = benches.copy_tree(folder / "tree")
        self.baselines = baselines
        self.sound = sound  #: test -> whether it passes with the original
        self.server = benches.Server(self.tree)
        # Models of mutants are thrown away; Verilator's runtime, which is compiled once, is everybody's.
        runtime = cache_folder() / "runtime"
        runtime.mkdir(parents=True, exist_ok=True)
        (folder / "cache").mkdir()
        (folder / "cache" / "runtime").symlink_to(runtime, target_is_directory=True)

    def judge(
        self, mutant: Mutant, text: str, tests: Sequence[str], others: Sequence[str],
        models: Mapping[str, benches.Models],
    ) -> Result:  # fmt: skip
        """Run ``tests`` until one notices ``mutant``; where none of them builds anything else of it, ``others`` too."""
        started = time.monotonic()
        (file,) = (self.tree / "rtl").rglob(f"{mutant.module}.sv")
        kept = self.folder / "original" / file.name
        kept.parent.mkdir(exist_ok=True)
        original = file.read_text()
        kept.write_text(original)
        file.write_text(text)
        try:
            counts = {test: m.count for test, m in models.items()}
            noted, words = self._run(tests, {test: counts[test] for test in tests}, file, kept)
            left = list(others)
            while left and noted and all(entry["outcome"] == "same" for entry in noted):
                more, left = left[: benches.INDIRECT], left[benches.INDIRECT :]
                noted, words = self._run(more, {test: counts[test] for test in more}, file, kept)
        finally:
            file.write_text(original)
            shutil.rmtree(self.folder / "cache" / "models", ignore_errors=True)
        outcome, by, why = _verdict(noted, words)
        if outcome == "survived":
            outcome, by, why = _prove(file.name, text)
        elif outcome in KILLS and by and not self._is_sound(by):
            outcome, why = "error", f"{by} fails with the original too"
        return Result(
            id=mutant.id, module=mutant.module, kind=mutant.kind, outcome=outcome, by=by, why=why,
            tests=sum(entry["outcome"] != "same" for entry in noted),
            seconds=round(time.monotonic() - started, 1), text="", benches="",
        )  # fmt: skip

    def _run(
        self, tests: Sequence[str], models: Mapping[str, int], file: Path, original: Path
    ) -> tuple[list[dict[str, object]], str]:
        config = {
            "mode": "judge", "file": str(file), "original": str(original), "cache": str(self.folder / "cache"),
            "baselines": str(self.baselines), "seconds": CPU_SECONDS, "tests": list(tests), "invalid": _INVALID,
            "models": dict(models),
        }  # fmt: skip
        try:
            return self.server.run(tests, config, PATIENCE)
        except TimeoutError as error:
            return [{"test": "", "outcome": "timeout", "why": str(error)}], ""

    def _is_sound(self, test: str) -> bool:
        """Whether what noticed a mutant has nothing against the original."""
        if test not in self.sound:
            nothing = self.folder / "none.sv"  # is in no model, so that all are of the original
            noted, _ = self._run([test], {}, nothing, nothing)
            self.sound[test] = [entry["outcome"] for entry in noted] == ["passed"]
        return self.sound[test]


def _verdict(noted: Sequence[Mapping[str, object]], words: str) -> tuple[str, str, str]:
    """Outcome, test and reason of what the plugin noted."""
    for outcome in ("killed", "timeout", "error", "invalid"):
        for entry in noted:
            if entry["outcome"] == outcome:
                if outcome == "invalid" and any(e["outcome"] == "passed" for e in noted):
                    continue
                return outcome, str(entry["test"]), str(entry["why"])
    if not noted:
        return "error", "", f"no test ran: {words[-400:]}"
    built = any(entry["outcome"] == "passed" for entry in noted)
    return "survived", "", "" if built else "every bench builds what it builds of the original"


#: the quick ones, those of arithmetic, decided in seconds each, and the module's own. What Yosys no longer reads at
#: parameters at which it reads the original is refuted too
_PROOF = """\
import json, sys
from prover import ProofError, prove, sources_of
from tasks import TASKS
file, text = sys.argv[1], open(sys.argv[2]).read()
own = file.replace("bvit_", "fv_").removesuffix(".sv")
for task in sorted(TASKS, key=lambda task: not task.quick):
    if (task.quick or task.top in (own, "fv_arithmetic")) and file in sources_of(task.top):
        try:
            refuted = list(prove(task, {file: text}, use_cache=False).refuted)
        except ProofError:
            refuted = ["elaboration"]
        if refuted:
            print("refuted", task.name, refuted[0])
            break
"""


def _prove(file: str, text: str) -> tuple[str, str, str]:
    """Whether a proof refutes what no bench noticed."""
    with tempfile.NamedTemporaryFile("w", suffix=".sv") as stream:
        stream.write(text)
        stream.flush()
        try:
            done = subprocess.run(
                [sys.executable, "-c", _PROOF, file, stream.name], cwd=benches.ROOT / "prove",
                capture_output=True, text=True, timeout=600, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "survived", "", ""
    words = done.stdout.split()
    return ("proof", words[1], words[2]) if words[:1] == ["refuted"] else ("survived", "", "")


def listed(path: Path = LIST) -> dict[str, dict[str, str]]:
    """Survivors that are known: id -> ``change`` and either ``equivalent`` (why) or ``open`` (what would notice it)."""
    entries = tomllib.loads(path.read_text()).get("mutant", []) if path.is_file() else []
    return {entry["id"]: entry for entry in entries}


def _models(server: benches.Server, folder: Path, among: Sequence[str]) -> dict[str, benches.Models]:
    """What every test runs, kept beside the journal until a bench changes."""
    kept = folder / f"benches-{_hash(benches.digest(server.tree), *sorted(modules()), *among)}.json"
    with locked(folder / "benches.lock"):
        if not kept.is_file():
            _log.info("asking every test in %s what it runs", ", ".join(among))
            found = benches.record(server, among)
            temporary = kept.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps({t: [m.count, [*m.files], [*m.direct], m.long] for t, m in found.items()}))
            temporary.replace(kept)
    stored = json.loads(kept.read_text())
    return {t: benches.Models(n, frozenset(f), frozenset(d), long) for t, (n, f, d, long) in stored.items()}


def run(
    names: Iterable[str],
    journal: Journal,
    *,
    jobs: int = 1,
    only: Callable[[Mutant], bool] = lambda _: True,
    tell: Callable[[Result], None] = lambda _: None,
    minutes: float | None = None,
    among: Sequence[str] = ("sim",),
) -> list[Result]:
    """Judge the mutants of the modules ``names`` that ``only`` takes; what the journal has is not run again.

    No mutant is begun after ``minutes``; those left over have no result. ``among``: files or folders of the tests.
    """
    started = time.monotonic()
    paths = modules()
    todo: list[tuple[Mutant, str, str, list[str], list[str]]] = []
    done: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="bvit-mutants-") as scratch:
        folder = Path(scratch)
        (folder / "baselines").mkdir()
        workers: queue.Queue[_Worker] = queue.Queue()
        sound: dict[str, bool] = {}
        for number in range(jobs):
            workers.put(_Worker(folder / f"worker{number}", folder / "baselines", sound))
        models = _models(workers.queue[0].server, journal.path.parent, among)
        for name in names:
            source = paths[name].read_text()
            tests, others = benches.tests_of(f"{name}.sv", models)
            state = _hash(benches.digest(), *tests)
            for mutant in filter(only, mutants_of(paths[name])):
                text = mutant.apply(source)
                known = journal.find(mutant, _hash(text), state)
                if known is None:
                    todo.append((mutant, text, state, tests, others))
                else:
                    done.append(known)

        def judge(item: tuple[Mutant, str, str, list[str], list[str]]) -> Result | None:
            mutant, text, state, tests, others = item
            if minutes is not None and time.monotonic() - started > 60 * minutes:
                return None
            worker = workers.get()
            try:
                found = worker.judge(mutant, text, tests, others, models)
            finally:
                workers.put(worker)
            result = Result(**{**asdict(found), "text": _hash(text), "benches": state})
            journal.add(result)
            tell(result)
            return result

        with ThreadPoolExecutor(jobs) as pool:
            try:
                done += [result for result in pool.map(judge, todo) if result is not None]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            finally:
                for worker in workers.queue:
                    worker.server.close()
    return done
