"""Runs cases one after the other, each in a process of its own, and keeps a journal of what came out."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build" / "fuzz"
#: seconds, by the clock, after which a case has failed
PATIENCE = 3600.0
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One line of the journal. ``code`` is a hash of all that the outcome depends on beside seed and number."""

    seed: int
    number: int
    outcome: str  #: passed, refused (by freezing, in a sentence) or failed
    why: str
    seconds: float
    code: str
    facts: dict[str, object] = field(default_factory=dict)


class Journal:
    """JSON lines, one for each case that ran; the last line of a case counts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.results: dict[tuple[int, int], Result] = {}
        for line in path.read_text().splitlines() if path.is_file() else ():
            try:
                result = Result(**json.loads(line))
            except (ValueError, TypeError):  # the last line of a run that was cut off
                continue
            self.results[result.seed, result.number] = result

    def add(self, result: Result) -> None:
        """Append at once: what is done stays done."""
        self.results[result.seed, result.number] = result
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as stream:
            stream.write(json.dumps(asdict(result)) + "\n")


def code_digest() -> str:
    """Of the package, of rtl/ and of the fuzz itself: where one of them changes, cases run again."""
    total = hashlib.sha256()
    for part in ("bvit_hw", "rtl", "boards", "sim/fuzz"):
        for path in sorted((ROOT / part).rglob("*")):
            if path.suffix in (".py", ".sv", ".j2", ".toml", ".cpp") and path.name not in ("runner.py", "docs.py"):
                total.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return total.hexdigest()[:16]


def command(seed: int, number: int) -> str:
    """What repeats a case, from the repository's root."""
    return f"python sim/fuzz_networks.py --seed {seed} --case {number}"


def run(
    seed: int, count: int, folder: Path, *, minutes: float | None = None, tell: Tell = lambda _: None
) -> list[Result]:
    """Cases 0 to ``count`` - 1 of ``seed``; those that the journal in ``folder`` has of this code are not run again.

    None is begun after ``minutes``. The files of one that failed stay in ``folder``, with its words in log.txt.
    """
    journal, code, started = Journal(folder / "journal.jsonl"), code_digest(), time.monotonic()
    results: list[Result] = []
    for number in range(count):
        known = journal.results.get((seed, number))
        if known is None or known.code != code or known.outcome == "failed":
            if minutes is not None and time.monotonic() - started > 60 * minutes:
                break
            known = _run(seed, number, folder, code)
            journal.add(known)
            facts = ", ".join(f"{key} {value}" for key, value in known.facts.items() if key not in ("outcome", "why"))
            tell(f"{known.outcome:8}{known.seconds:7.0f} s  {seed}-{number}  {known.why or facts}")
            if known.outcome == "failed":
                tell(f"         {command(seed, number)}")
        results.append(known)
    outcomes = [result.outcome for result in results]
    words = ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in ("passed", "refused", "failed"))
    tell(f"seed {seed}: {len(results)} of {count} cases: {words}")
    return results


def _run(seed: int, number: int, folder: Path, code: str) -> Result:
    started = time.monotonic()
    argv = [sys.executable, "-W", "ignore", str(ROOT / "sim" / "fuzz_networks.py")]
    argv += ["--seed", str(seed), "--case", str(number), "--folder", str(folder)]
    work = folder / f"{seed}-{number}"
    try:
        done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
        words, failed = done.stdout + done.stderr, done.returncode != 0
    except subprocess.TimeoutExpired:
        words, failed = f"not finished after {PATIENCE:g} s", True
    facts: dict[str, object] = {}
    if failed:
        work.mkdir(parents=True, exist_ok=True)
        (work / "log.txt").write_text(words)
        shutil.rmtree(work / "cache", ignore_errors=True)
        outcome, why = "failed", next((line for line in reversed(words.splitlines()) if line.strip()), "no words")
    else:
        facts = json.loads(done.stdout.splitlines()[-1])
        outcome, why = str(facts["outcome"]), str(facts.get("why", ""))
        shutil.rmtree(work)
    seconds = round(time.monotonic() - started, 1)
    return Result(seed=seed, number=number, outcome=outcome, why=why, seconds=seconds, code=code, facts=facts)
