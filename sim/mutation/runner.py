"""Runs the benches against mutants, and keeps what came out (journal.py).

Those that a simulation can choose are tried together: one model for each test has all that are left (schema.py). The
others need a model each. What no bench notices is tried against proofs (proofs.py).
"""

from __future__ import annotations

import json
import logging
import os
import queue
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bvit_hw.flows.cache import cache_folder, locked

from . import benches
from .journal import KILLS, Journal, Result, hash_of, short_hash
from .mutants import Mutant, mutants_of
from .proofs import proof_of
from .schema import schema_of

#: processor seconds of one simulation: those that pass take a few
CPU_SECONDS = 60
#: seconds, by the clock, of all the benches of one mutant
PATIENCE = 1200.0
#: a mutant that does not elaborate in so many tests does not in any
_INVALID = 4
LIST = Path(__file__).with_name("survivors.toml")
#: which test runs what, until a bench changes
_KEPT = benches.ROOT / "build" / "mutants"

_log = logging.getLogger(__name__)


def modules() -> dict[str, Path]:
    """Name -> file of every module that is ours (not the vendor's models, nor packages, which are no circuits)."""
    files = sorted((benches.ROOT / "rtl").rglob("*.sv"))
    return {path.stem: path for path in files if path.parent.name != "models" and not path.stem.endswith("_pkg")}


@dataclass(frozen=True, kw_only=True)
class _Item:
    """A mutant to be tried: its number in its module, its text, the text's hash and the state of its benches.

    Of one that is argued to be equivalent no proof is asked: the slow ones would run until their time is over.
    """

    mutant: Mutant
    number: int
    text: str
    hash: str
    state: str
    argued: bool

    def result(self, outcome: str, by: str = "", why: str = "", tests: int = 0, seconds: float = 0.0) -> Result:
        state = self.state if outcome == "survived" else ""
        return Result(
            id=self.mutant.id, outcome=outcome, by=by, why=why, tests=tests, seconds=round(seconds, 1),
            text=self.hash, benches=state,
        )  # fmt: skip


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
        self.forks = folder / "forks"
        self.forks.mkdir()
        (folder / "cache").mkdir()
        (folder / "cache" / "runtime").symlink_to(runtime, target_is_directory=True)

    @contextmanager
    def _mutated(self, module: str) -> Iterator[tuple[Path, Path]]:
        """The module's file, to be written, and its original text; as it was afterwards."""
        (file,) = (self.tree / "rtl").rglob(f"{module}.sv")
        kept = self.folder / "original" / file.name
        kept.parent.mkdir(exist_ok=True)
        shutil.copyfile(file, kept)
        try:
            yield file, kept
        finally:
            shutil.copyfile(kept, file)
            shutil.rmtree(self.folder / "cache" / "models", ignore_errors=True)

    def judge(
        self, item: _Item, tests: Sequence[str], others: Sequence[str], models: Mapping[str, benches.Models]
    ) -> Result:
        """Run ``tests`` until one notices it; where none of them builds anything else of it, ``others`` too."""
        started = time.monotonic()
        if not tests:
            return item.result("error", why="no test builds it")
        counts = {test: m.count for test, m in models.items()}
        with self._mutated(item.mutant.module) as (file, kept):
            file.write_text(item.text)
            noted, words = self._run(tests, {test: counts[test] for test in tests}, file, kept)
            left = list(others)
            while left and noted and all(entry["outcome"] == "same" for entry in noted):
                more, left = left[: benches.INDIRECT], left[benches.INDIRECT :]
                noted, words = self._run(more, {test: counts[test] for test in more}, file, kept)
        outcome, by, why = _verdict(noted, words)
        if outcome == "survived" and not item.argued:
            outcome, by, why = proof_of(file.name, item.text)
        elif outcome in KILLS and by and not self._is_sound(by):
            outcome, why = "error", f"{by} fails with the original too"
        built = sum(entry["outcome"] != "same" for entry in noted)
        return item.result(outcome, by, why, built, time.monotonic() - started)

    def together(
        self, items: Sequence[_Item], tests: Sequence[str], others: Sequence[str],
        models: Mapping[str, benches.Models], late: Callable[[], bool], proofs: bool,
    ) -> Iterator[Result | _Item]:  # fmt: skip
        """Judge mutants of one module that a simulation can choose, test by test; those that it cannot come back."""
        alive = {item.number: item for item in items}
        built, started, count = dict.fromkeys(alive, 0), time.monotonic(), len(items)
        spared: set[int] = set()  # those that a test would have met whose model of all of them was none
        for place, test in enumerate([*tests, *others]):
            wanted = alive if place < len(tests) else {n: item for n, item in alive.items() if not built[n]}
            if not wanted or late():
                break
            noted, separate = self._run_together(test, wanted, models[test].count)
            for item in separate:
                yield alive.pop(item.number)
            probe = [entry for entry in noted if entry.get("number") == 0]
            if not all(entry["outcome"] == "passed" for entry in probe) or (noted and not probe):
                if self._is_sound(test):
                    _log.warning("%s fails with the original among mutants: %s", test, probe or noted)
                    spared.update(wanted)
                    continue
                why = f"{test} fails with the original too"
                yield from (item.result("error", test, why) for item in alive.values())
                return
            for entry in noted:
                number = int(str(entry["number"]))
                if number == 0 or number not in alive:
                    continue
                built[number] += bool(entry.get("built"))
                if entry["outcome"] not in ("passed", "same"):
                    seconds = (time.monotonic() - started) / count
                    item, outcome, why = alive.pop(number), str(entry["outcome"]), str(entry["why"])
                    yield item.result(outcome, test, why, built[number], seconds)
        if late():
            return
        for number, item in alive.items():
            # Only what every test has met, or could not have met, has survived.
            if number in spared or not built[number]:
                yield item
                continue
            outcome, by, why = ("survived", "", "")
            if proofs and not item.argued:
                outcome, by, why = proof_of(f"{item.mutant.module}.sv", item.text)
            result = item.result(outcome, by, why, built[number], (time.monotonic() - started) / count)
            # Without the proofs it is tried again.
            yield result if proofs else replace(result, benches="")

    def _run_together(
        self, test: str, wanted: Mapping[int, _Item], models: int
    ) -> tuple[list[dict[str, object]], list[_Item]]:
        """What ``test`` says of each, and those with which the module does not elaborate."""
        left, separate = dict(wanted), list[_Item]()
        while left:
            module = next(iter(left.values())).mutant.module
            with self._mutated(module) as (file, kept):
                text, lines = schema_of(kept.read_text(), [(n, item.mutant) for n, item in left.items()])
                file.write_text(text)
                more = {"numbers": sorted(left), "forks": str(self.forks)}
                noted, words = self._run([test], {test: models}, file, kept, mode="together", **more)
            bad = [entry for entry in noted if entry["outcome"] == "lines"]
            if not bad:
                return noted, separate
            ids = {name for entry in bad for line in entry["lines"] for name in lines.get(line, ())}  # type: ignore[attr-defined]
            gone = [item for item in left.values() if item.mutant.id in ids]
            if not gone:
                _log.warning("%s: all its mutants together do not elaborate: %s", module, bad[0]["why"] or words)
                gone = list(left.values())
            separate += gone
            for item in gone:
                del left[item.number]
        return [], separate

    def _run(
        self, tests: Sequence[str], models: Mapping[str, int], file: Path, original: Path, **more: object
    ) -> tuple[list[dict[str, object]], str]:
        config = {
            "mode": "judge", "file": str(file), "original": str(original), "cache": str(self.folder / "cache"),
            "baselines": str(self.baselines), "seconds": CPU_SECONDS, "tests": list(tests), "invalid": _INVALID,
            "models": dict(models), **more,
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


def listed(path: Path = LIST) -> dict[str, dict[str, str]]:
    """Survivors that are known: id -> ``change`` and either ``equivalent`` (why) or ``open`` (what would notice it)."""
    entries = tomllib.loads(path.read_text()).get("mutant", []) if path.is_file() else []
    return {entry["id"]: entry for entry in entries}


def _models(server: benches.Server, folder: Path, among: Sequence[str]) -> dict[str, benches.Models]:
    """What every test runs, kept in ``folder`` until a bench changes."""
    kept = folder / f"benches-{short_hash(benches.digest(server.tree), *sorted(modules()), *among)}.json"
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
    apart: bool = True,
    proofs: bool = True,
    kept: Path = _KEPT,
) -> list[Result]:
    """Judge the mutants of the modules ``names`` that ``only`` takes; what the journal has is not run again.

    No mutant is begun after ``minutes``; those left over have no result. ``among``: files or folders of the tests.
    Without ``apart`` only those that can be tried together; without ``proofs`` a survivor is tried again next time.
    ``kept``: where it is noted which test runs what.
    """
    started = time.monotonic()
    paths, known = modules(), listed()
    work: list[tuple[list[_Item], list[str], list[str]]] = []
    done: list[Result] = []

    def late() -> bool:
        return minutes is not None and time.monotonic() - started > 60 * minutes

    with tempfile.TemporaryDirectory(prefix="bvit-mutants-") as scratch:
        folder = Path(scratch)
        (folder / "baselines").mkdir()
        workers: queue.Queue[_Worker] = queue.Queue()
        sound: dict[str, bool] = {}
        for number in range(jobs):
            workers.put(_Worker(folder / f"worker{number}", folder / "baselines", sound))
        models = _models(workers.queue[0].server, kept, among)
        for name in names:
            source = paths[name].read_text()
            tests, others = benches.tests_of(f"{name}.sv", models)
            state = short_hash(benches.digest(), *tests)
            items: list[_Item] = []
            for number, mutant in enumerate(mutants_of(paths[name]), 1):
                text = mutant.apply(source)
                argued = "equivalent" in known.get(mutant.id, {})
                item = _Item(
                    mutant=mutant, number=number, text=text, hash=hash_of(text), state=state, argued=argued
                )  # fmt: skip
                if only(mutant) and (found := journal.find(mutant, item.hash, state, argued=argued)) is not None:
                    done.append(found)
                elif only(mutant):
                    items.append(item)
            work.append((items, tests, others))

        def keep(result: Result) -> None:
            journal.add(result)
            done.append(result)
            tell(result)

        def judge(items: list[_Item], tests: list[str], others: list[str]) -> None:
            """One item, or those of a module that can be tried together and then each of the rest."""
            worker = workers.get()
            try:
                separate = [item for item in items if item.mutant.carrier is None]
                chosen = [item for item in items if item.mutant.carrier is not None]
                together = worker.together(chosen, tests, others, models, late, proofs)
                for found in together if chosen and not late() else ():
                    if isinstance(found, _Item):
                        separate.append(found)
                    else:
                        keep(found)
                for item in separate if apart else ():
                    if not late():
                        keep(worker.judge(item, tests, others, models))
            finally:
                workers.put(worker)

        with ThreadPoolExecutor(jobs) as pool:
            try:
                for _ in pool.map(lambda parts: judge(*parts), work):
                    pass
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
            finally:
                for worker in workers.queue:
                    worker.server.close()
    return done
