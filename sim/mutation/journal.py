"""What came of each mutant that was tried: a table that is committed, so that nobody tries it again.

One line a mutant, sorted by id, so that results of several machines merge as text: id, hash of the mutated text
(without comments and layout), outcome, and what noticed it; of a survivor the state of the benches that did not.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bvit_hw.flows.cache import locked

from .mutants import Mutant, normalised

TABLE = Path(__file__).with_name("results.tsv")
_LOCK = Path(__file__).resolve().parents[2] / "build" / "mutants" / "results.lock"
#: noticed by a bench, by its own limit of processor seconds, by a proof; noticed by none; does not elaborate; the
#: run itself went wrong, which is not kept
OUTCOMES = ("killed", "timeout", "proof", "survived", "invalid", "error")
KILLS = ("killed", "timeout", "proof")


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one mutant. ``text`` and ``benches`` are what it depends on; the last three are not kept."""

    id: str
    outcome: str
    by: str  #: the test or proof that noticed it
    text: str
    benches: str = ""
    why: str = ""
    tests: int = 0  #: how many tests built it
    seconds: float = 0.0

    @property
    def module(self) -> str:
        """The module that it is a mutant of."""
        return self.id.partition("-")[0]

    @property
    def line(self) -> str:
        """As it is kept."""
        return "\t".join([self.id, self.text, self.outcome, self.by, self.benches]).rstrip("\t") + "\n"


def short_hash(*parts: str) -> str:
    """Sixteen hexadecimal digits."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def hash_of(mutated: str) -> str:
    """Of a mutated file: the same with other comments or another layout."""
    return short_hash(normalised(mutated))


class Journal:
    """The results in a file. A kill, and a text that does not elaborate, stay so while the mutated text is the same."""

    def __init__(self, path: Path = TABLE) -> None:
        self.path = path
        self._lock = threading.Lock()
        self.results: dict[str, Result] = {}
        self._read()

    def _read(self) -> None:
        for line in self.path.read_text().splitlines() if self.path.is_file() else ():
            cells = line.split("\t")
            if len(cells) >= 3 and cells[2] in OUTCOMES:
                name, text, outcome, by, state = [*cells, "", ""][:5]
                if name not in self.results or self.results[name].text != text:
                    self.results[name] = Result(id=name, text=text, outcome=outcome, by=by, benches=state)

    def add(self, result: Result) -> None:
        """Write at once: what is done stays done."""
        self.results[result.id] = result
        self._write({result.id: result})

    def keep(self, texts: Iterable[tuple[str, str]]) -> None:
        """Drop the results of all but these pairs of id and hash of the mutated text."""
        wanted = set(texts)
        gone = {name for name, result in self.results.items() if (name, result.text) not in wanted}
        if gone:
            self._write({}, gone)

    def _write(self, new: dict[str, Result], gone: Iterable[str] = ()) -> None:
        """What others have written meanwhile stays."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, locked(_LOCK):
            self.results = {}
            self._read()
            self.results |= new
            for name in gone:
                self.results.pop(name, None)
            kept = [result for _, result in sorted(self.results.items()) if result.outcome != "error"]
            temporary = self.path.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text("".join(result.line for result in kept))
            temporary.replace(self.path)

    def find(self, mutant: Mutant, text: str, state: str, *, argued: bool = False) -> Result | None:
        """What is known of a mutant, unless it has to be tried again: a survivor, when benches have changed.

        One that is ``argued`` to be equivalent is so whatever the benches.
        """
        known = self.results.get(mutant.id)
        if known is None or known.text != text or known.outcome == "error":
            return None
        return known if known.outcome != "survived" or argued or known.benches == state else None
