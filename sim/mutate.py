"""Makes mutants of the modules of rtl/ and runs the benches against them; see sim/README.md.

    python sim/mutate.py bvit_fifo bvit_duplicate      # or none: all modules, those with the fewest mutants first
    python sim/mutate.py --show bvit_fifo              # what would be tried
    python sim/mutate.py --write-docs                  # the table of docs/mutants.md, from the results
"""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections import Counter
from pathlib import Path

from mutation.docs import write_table
from mutation.journal import TABLE, Journal, Result, hash_of
from mutation.mutants import mutants_of
from mutation.runner import listed, modules, run


def main() -> int:
    """The exit code is 1 when a mutant survives that is not listed as equivalent."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", nargs="*", help="names of modules, as bvit_fifo")
    parser.add_argument("--jobs", type=int, default=1, help="mutants at once")
    parser.add_argument("--minutes", type=float, help="begin no mutant after this time")
    parser.add_argument("--journal", type=Path, default=TABLE, help="results so far, and where new ones go")
    parser.add_argument("--together", action="store_true", help="only those that one model can have side by side")
    parser.add_argument("--no-proofs", action="store_true", help="leave survivors to a later run")
    parser.add_argument("--show", action="store_true", help="only list the mutants")
    parser.add_argument("--write-docs", action="store_true", help="only write the table of docs/mutants.md")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    paths = modules()
    if unknown := sorted(set(given.modules) - set(paths)):
        parser.error(f"there is no module {', '.join(unknown)}; there are {', '.join(paths)}")
    found = {name: mutants_of(path) for name, path in paths.items()}
    names = given.modules or sorted(paths, key=lambda name: len(found[name]))
    if given.show:
        for name in names:
            for mutant in found[name]:
                print(f"{mutant.id}: {mutant.before}  ->  {mutant.after}")
        return 0
    # Whoever ends it, what is in hand is finished, and the copies of the repository go.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    journal = Journal(given.journal)
    texts = {name: path.read_text() for name, path in paths.items()}
    tried = [(name, m) for name in paths for m in found[name] if m.id in journal.results]
    journal.keep((m.id, hash_of(m.apply(texts[name]))) for name, m in tried)
    if given.write_docs:
        write_table(journal)
        return 0
    known, changes = listed(), {m.id: f"{m.before}  ->  {m.after}" for name in names for m in found[name]}

    def tell(result: Result) -> None:
        spent = f"{result.seconds:6.1f} s {result.tests:3} tests"
        print(f"{result.outcome:8} {spent}  {result.id}  {result.by}", flush=True)
        if result.outcome in ("survived", "error"):
            print(f"         {changes[result.id]}  {result.why}", flush=True)

    results = run(
        names, journal, jobs=given.jobs, tell=tell, minutes=given.minutes, apart=not given.together,
        proofs=not given.no_proofs,
    )  # fmt: skip
    left = [r for r in results if r.outcome in ("survived", "error") and "equivalent" not in known.get(r.id, {})]
    for name in names:
        count = Counter(r.outcome for r in results if r.module == name)
        words = ", ".join(f"{number} {outcome}" for outcome, number in sorted(count.items())) or "none tried"
        print(f"{name}: {len(found[name])} mutants: {words}")
    print(f"{len(results)} of {len(changes)} tried, {len(left)} neither noticed nor listed as equivalent")
    return int(bool(left))


if __name__ == "__main__":
    sys.exit(main())
