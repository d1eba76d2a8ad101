"""Loaded into pytest by server.py, where benches run against a mutant, or only tell what they would run.

The request says which: ``record`` notes the RTL files of every model that a test asks for, and
builds and runs none; ``judge`` runs the tests until one notices the mutant. A test whose models Verilator translates
to the very text that it makes of the original cannot notice it, and is passed over. ``together`` runs one test for all
mutants of a schema (schema.py): it forks where its first simulation begins, and each fork is the test of one mutant.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import resource
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import harness
import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows import verilator
from bvit_hw.flows.cache import publish
from bvit_hw.flows.tool import CompletedTool, run_tool

from .forks import Simulator, end_all
from .schema import BASE, FILE, numbers_in

#: the request's; empty where benches are only imported
CONFIG: dict[str, Any] = {}
_test = ""  #: the one that runs now
_counts: Counter[str] = Counter()
_chosen: int | None = None  #: of a schema, in the fork that is the test of one mutant; 0 is the original
_has: set[int] = set()  #: the mutants of a schema that are in the model that was built last
_met: set[int] = set()  #: and in those that the test has simulated


class Invalid(Exception):
    """The mutant does not elaborate."""


class Identical(Exception):
    """What Verilator makes of the mutant is what it makes of the original."""


class Absent(Exception):
    """None of the mutants that are wanted is in the model."""


def _note(**entry: object) -> None:
    with Path(CONFIG["out"]).open("a") as stream:
        stream.write(json.dumps(entry) + "\n")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without the slow tests, and without those that wait for a whole build."""
    items[:] = [i for i in items if "built" not in getattr(i, "fixturenames", ()) and not i.get_closest_marker("slow")]
    if order := {name: n for n, name in enumerate(CONFIG.get("tests", []))}:
        items.sort(key=lambda item: order.get(_name(item), 0))


def _name(item: pytest.Item) -> str:
    return item.nodeid if item.nodeid.startswith("sim/") else f"sim/{item.nodeid}"


def pytest_runtest_logstart(nodeid: str) -> None:
    """Remember whose models are built from here on."""
    global _test
    _test = nodeid if nodeid.startswith("sim/") else f"sim/{nodeid}"


def pytest_configure() -> None:
    """Put ours into the place of what harness.py calls."""
    if not CONFIG:
        return
    if CONFIG["mode"] == "record":
        # Any count of cycles will do, so that tests of several models go on to the next.
        vars(harness).update(
            build_model=_recorded,
            simulate=lambda *_, **__: None,
            _measure=lambda *_, **__: harness.Measurements(cycles_per_frame=0.0),
            CYCLES_TOLERANCE=1.0,
        )
    elif CONFIG["mode"] == "together":
        vars(harness).update(build_model=_together, run_tool=_forked)
        vars(verilator).update(run_tool=_searched(run_tool))
    else:
        vars(harness).update(build_model=_mutated, simulate=_limited(harness.simulate))
        vars(verilator).update(run_tool=_compared(run_tool))


def pytest_collection_finish() -> None:
    """What a bench imports may start programs; a test may not."""
    if CONFIG.get("mode") == "record":
        subprocess.Popen.__init__ = _refused  # type: ignore[method-assign]


def _refused(*_: object, **__: object) -> None:
    raise ToolError("no program runs while benches are only asked what they would run")


def _recorded(sources: Sequence[Path], top: str, **options: Any) -> Path:
    """Note the files of rtl/ in the model, and the modules that its other files, the bench's own, instantiate."""
    ours = [path for path in sources if Path(CONFIG["rtl"]) in path.resolve().parents]
    words = " ".join(path.read_text() for path in sources if path not in ours)
    # The checker is beside every device; it is the one under test where there is no other.
    tested = [path for path in ours if path.stem != "bvit_axis_check" or len(ours) == 1]
    direct = [path.name for path in tested if re.search(rf"\b{path.stem}\b", words)]
    _note(test=_test, files=[path.name for path in ours], direct=direct, long=options.get("optimize") != "-O0")
    return Path("none")


_build_model = verilator.build_model
_baseline: Path | None = None  #: where the digest of the original's text goes; None while the mutant is built
_expected = ""


def _mutated(sources: Sequence[Path], top: str, **options: Any) -> Path:
    """A model of the mutant, out of a cache that is thrown away; of the original where the two do not differ."""
    global _baseline, _expected
    file, original = Path(CONFIG["file"]), Path(CONFIG["original"])
    if file.name not in {path.name for path in sources}:
        return _build_model(sources, top, **options)
    options = {**options, "jobs": 1, "cache": Path(CONFIG["cache"])}
    kept = [original if path.name == file.name else path for path in sources]
    parts = [[p.name, p.read_text()] for p in kept] + [[top, str(sorted(options.items(), key=str))]]
    digest = Path(CONFIG["baselines"]) / hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    if not digest.is_file():
        _baseline = digest
        try:
            _build_model(kept, top, **options)
        except Identical:
            pass
        finally:
            _baseline = None
    _expected = digest.read_text()
    try:
        return _build_model(sources, top, **options)
    except Identical:
        if CONFIG["models"].get(_test, 1) == 1:
            pytest.skip("the same model")
        return _build_model(kept, top, **{**options, "cache": None})


def _compared(original: Callable[..., Any]) -> Callable[..., Any]:
    """Stop after Verilator where it made the original's text of the mutant: compiling is what takes time."""

    def run(name: str, argv: Sequence[str], *, cwd: Path, **options: Any) -> Any:
        if name != "verilator" or not _in_scratch(cwd):
            return original(name, argv, cwd=cwd, **options)
        if "--cc" not in argv:
            with _shared_objects(cwd, argv):
                return original(name, argv, cwd=cwd, **options)
        try:
            done = original(name, argv, cwd=cwd, **options)
        except ToolError as error:
            raise Invalid(str(error)) from None
        digest = hashlib.sha256()
        for path in sorted([*cwd.glob("*.cpp"), *cwd.glob("*.h"), *cwd.glob("*.mk")]):
            digest.update(path.name.encode() + path.read_bytes())
        if _baseline is not None:
            temporary = _baseline.with_suffix(f".{os.getpid()}")
            temporary.write_text(digest.hexdigest())
            temporary.replace(_baseline)
            raise Identical
        if digest.hexdigest() == _expected:
            raise Identical
        return done

    return run


@contextmanager
def _shared_objects(folder: Path, argv: Sequence[str]) -> Iterator[None]:
    """What is compiled of cocotb's and the harness's own C++ depends on the model's ports alone: half of the time."""
    own = sorted((folder / "src").glob("*.cpp"))
    parts = [(folder / "Vtop.h").read_text(), *(path.read_text() for path in own), *map(str, argv)]
    kept = Path(CONFIG["baselines"]) / hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    for path in kept.glob("*.o"):
        shutil.copyfile(path, folder / path.name)
    yield
    if not kept.is_dir():
        temporary = kept.with_suffix(f".{os.getpid()}")
        temporary.mkdir()
        for path in own:
            shutil.copyfile(folder / f"{path.stem}.o", temporary / f"{path.stem}.o")
        publish(temporary, kept)


def _together(sources: Sequence[Path], top: str, **options: Any) -> Path:
    """A model of all mutants; which of them are in it is kept beside it."""
    if Path(CONFIG["file"]).name not in {path.name for path in sources}:
        return _build_model(sources, top, **options)
    model = _build_model(sources, top, **{**options, "jobs": 1, "cache": Path(CONFIG["cache"])})
    kept = _numbers(model)
    if not kept.is_file():
        kept.write_text(json.dumps(sorted(_has)))
    return model


def _numbers(model: Path) -> Path:
    return Path(CONFIG["forks"]) / f"{hashlib.sha256(str(model.resolve()).encode()).hexdigest()[:16]}.json"


def _searched(original: Callable[..., Any]) -> Callable[..., Any]:
    """Look into what Verilator wrote for the mutants that are in it."""

    def run(name: str, argv: Sequence[str], *, cwd: Path, **options: Any) -> Any:
        if name != "verilator" or not _in_scratch(cwd) or "--cc" not in argv:
            return original(name, argv, cwd=cwd, **options)
        try:
            done = original(name, argv, cwd=cwd, **options)
        except ToolError as error:
            words = options["log"].read_text(errors="replace")
            named = re.findall(rf"%Error[^\n]*?{re.escape(Path(CONFIG['file']).name)}:(\d+):", words)
            _note(test=_test, outcome="lines", lines=sorted({int(line) for line in named}), why=words[-500:])
            raise Invalid(str(error)) from None
        _has.clear()
        for path in cwd.glob("*.cpp"):
            _has.update(numbers_in(path.read_text()))
        if not _has & set(CONFIG["numbers"]) and CONFIG["models"].get(_test, 1) == 1:
            raise Absent
        return done

    return run


def _forked(name: str, argv: Sequence[str], *, cwd: Path, log: Path, env: dict[str, str], **options: Any) -> Any:
    """In place of a simulation: one for each mutant, in a fork of the whole test that comes back from here."""
    global _chosen
    model = (cwd / "model.so").resolve()
    if not _numbers(model).is_file():
        with _cpu_seconds(CONFIG["seconds"]):
            return run_tool(name, argv, cwd=cwd, log=log, env=env, **options)
    there = set(json.loads(_numbers(model).read_text()))
    if _chosen is None:
        _fork(cwd, there if CONFIG["models"].get(_test, 1) == 1 else set(CONFIG["numbers"]))
        if _chosen is None:
            pytest.skip("done")
    _met.update(there)
    parts = [str(model), *argv, *(f"{k}={v}" for k, v in sorted(env.items()) if k != "COCOTB_RESULTS_FILE")]
    path = Path(CONFIG["forks"]) / f"{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]}.sock"
    simulator = Simulator(path, [str(word) for word in argv], cwd, env)
    code = simulator.simulate(cwd, log, env["COCOTB_RESULTS_FILE"], (FILE, BASE + _chosen), CONFIG["seconds"])
    return CompletedTool(name=name, argv=tuple(map(str, argv)), returncode=code, log=log, seconds=0.0)


def _fork(folder: Path, there: set[int]) -> None:
    """For the original and then every mutant ``there``: a fork that returns with ``_chosen`` set."""
    global _chosen
    before = Path(tempfile.mkdtemp(dir=CONFIG["forks"])) / "before"
    shutil.copytree(folder, before, symlinks=True)
    out = Path(CONFIG["out"])
    for number in [0, *sorted(there & set(CONFIG["numbers"]))]:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(before, folder, symlinks=True)
        size = out.stat().st_size if out.is_file() else 0
        child = os.fork()
        if child == 0:
            _met.clear()
            _chosen = number
            return
        os.waitpid(child, 0)
        noted = out.read_text()[size:].splitlines() if out.is_file() else []
        if not noted:
            _note(test=_test, outcome="error", why="the test ended without a word", number=number)
        if number == 0 and [json.loads(line)["outcome"] for line in noted] != ["passed"]:
            return


def pytest_sessionfinish() -> None:
    """Simulators of a schema wait for requests."""
    if CONFIG.get("mode") == "together":
        end_all(Path(CONFIG["forks"]))


def _in_scratch(folder: Path) -> bool:
    return Path(CONFIG["cache"]).resolve() in folder.resolve().parents


def _limited(simulate: Callable[..., None]) -> Callable[..., None]:
    """Seconds of the processor for a simulation: a limit in time of day would count how busy the machine is."""

    def run(*arguments: Any, **options: Any) -> None:
        with _cpu_seconds(CONFIG["seconds"]):
            simulate(*arguments, **options)

    return run


@contextmanager
def _cpu_seconds(seconds: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    resource.setrlimit(resource.RLIMIT_CPU, (int(usage.ru_utime + usage.ru_stime) + seconds, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Say how each test ended; the first that notices the mutant is the last."""
    yield
    if CONFIG["mode"] == "record" or (call.when != "call" and call.excinfo is None):
        return
    error = call.excinfo.value if call.excinfo else None
    text = str(error)
    if error is None:
        outcome = "passed"
    elif isinstance(error, pytest.skip.Exception):
        outcome = "same"
    elif isinstance(error, Invalid):
        outcome = "invalid"
    elif re.search(r"exit code -(24|9)\b|not finished after", text):
        outcome = "timeout"
    elif isinstance(error, (AssertionError, pytest.fail.Exception)):
        outcome = "killed"
    else:
        outcome = "error"
    words = [line for line in text.splitlines() if line.strip()]
    why = " / ".join(words[:2])[:300]
    if CONFIG["mode"] == "together":
        if _chosen is not None:
            _note(test=_test, outcome=outcome, why=why, number=_chosen, built=_chosen in _met)
            os._exit(0)
        if outcome in ("passed", "same") or isinstance(error, (Absent, Invalid)):
            return
    _note(test=_test, outcome=outcome, why=why, seconds=round(call.duration, 1))
    _counts[outcome] += 1
    # What does not elaborate in several tests does not in any.
    if outcome in ("killed", "timeout") or (_counts["invalid"] >= CONFIG["invalid"] and not _counts["passed"]):
        item.session.shouldstop = "noticed"
