"""Which tests of sim/ run a module: found by asking each test for its models, without building or running any."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: of the repository, what a bench may read
_PARTS = ("bvit_hw", "rtl", "sim", "tests", "hls", "boards", "docs", "conftest.py", "pyproject.toml")
#: tests of a module that is not itself under test: those with the fewest other modules, from every bench in turn
INDIRECT = 16


@dataclass(frozen=True)
class Models:
    """Of one test: how many models it asks for, the files of rtl/ in them, those that its top names itself."""

    count: int
    files: frozenset[str]
    direct: frozenset[str]
    long: bool


def copy_tree(folder: Path) -> Path:
    """A copy of the repository in which one file can be changed without anybody else seeing it."""
    folder.mkdir(parents=True)
    for part in _PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copyfile(ROOT / part, folder / part)
    return folder


class Server:
    """Runs pytest in ``tree`` with the plugin, in forks of one process, so that benches are imported once."""

    def __init__(self, tree: Path) -> None:
        self.tree, self._folder = tree, tree.parent
        self._temporary = self._folder / "tmp"
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "sim")]),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
            "TMPDIR": str(self._temporary),
            "OMP_NUM_THREADS": "1",
        }
        for name in ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS"):
            environment.pop(name, None)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mutation.server"], cwd=tree, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip

    def run(
        self, tests: Sequence[str], config: Mapping[str, object], timeout: float
    ) -> tuple[list[dict[str, object]], str]:
        """What the plugin noted, and pytest's own words; raises TimeoutError after ``timeout`` seconds."""
        self._temporary.mkdir(exist_ok=True)
        out, log = self._folder / "out.jsonl", self._folder / "pytest.log"
        for path in (out, log):
            path.unlink(missing_ok=True)
        request = {"tests": list(tests), "timeout": timeout, "log": str(log), "config": {
            **config, "rtl": str(self.tree / "rtl"), "out": str(out),
        }}  # fmt: skip
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline().strip()
        finally:
            shutil.rmtree(self._temporary, ignore_errors=True)
        words = log.read_text(errors="replace") if log.is_file() else ""
        if answer == "timeout":
            raise TimeoutError(f"benches not finished after {timeout:g} s")
        if answer != "done":
            raise RuntimeError(f"the process that runs the benches ended: {words[-2000:]}")
        noted = [json.loads(line) for line in out.read_text().splitlines()] if out.is_file() else []
        return noted, words

    def close(self) -> None:
        """End the process and whatever it runs."""
        if self._process.poll() is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()


def digest(tree: Path = ROOT) -> str:
    """Of all that decides which tests there are and what they do, rtl/ apart."""
    total = hashlib.sha256()
    for part in ("sim", "bvit_hw"):
        for path in sorted((tree / part).rglob("*")):
            kept = path.suffix in (".py", ".sv", ".vlt", ".j2", ".cpp") and not {"mutation", "fuzz"} & {*path.parts}
            if kept and path.name not in ("mutate.py", "test_mutate.py", "fuzz_networks.py", "test_fuzz_networks.py"):
                total.update(str(path.relative_to(tree)).encode() + path.read_bytes())
    return total.hexdigest()[:16]


def record(server: Server, among: Sequence[str], timeout: float = 1200) -> dict[str, Models]:
    """Test -> what it would run, of the tests in the files or folders ``among``."""
    noted, words = server.run(among, {"mode": "record"}, timeout)
    if not noted:
        raise RuntimeError(f"no test of {', '.join(among)} asked for a model:\n{words[-2000:]}")
    found: dict[str, list[dict[str, object]]] = {}
    for entry in noted:
        found.setdefault(str(entry["test"]), []).append(entry)
    return {
        test: Models(
            len(entries),
            frozenset(f for e in entries for f in e["files"]),  # type: ignore[attr-defined]
            frozenset(f for e in entries for f in e["direct"]),  # type: ignore[attr-defined]
            any(bool(e["long"]) for e in entries),
        )
        for test, entries in found.items()
    }


def tests_of(file: str, models: Mapping[str, Models]) -> tuple[list[str], list[str]]:
    """The tests that may notice a fault in ``file``, those first that say so soonest; and those left over.

    Where the file's module is itself what tests run, those; else tests of what it is a part of. Those of full size,
    which take minutes, run what the small ones run. What is left over is for a fault that the others do not build.
    """
    covering = [test for test, m in models.items() if file in m.files and not m.long]
    direct = [test for test in covering if file in models[test].direct]
    chosen = sorted(direct or covering, key=lambda test: len(models[test].files))
    benches: dict[str, list[str]] = {}
    for test in chosen:
        benches.setdefault(test.partition("::")[0], []).append(test)
    turns = [t for turn in itertools.zip_longest(*benches.values()) for t in turn if t is not None]
    return (turns, []) if direct else (turns[:INDIRECT], turns[INDIRECT:])
