"""Fuzz of whole networks: random small configurations from the frozen network to the RTL's logits (sim/README.md).

    python sim/fuzz_networks.py --seed 7 --count 200      # go on where the last run of this seed stopped
    python sim/fuzz_networks.py --seed 7 --case 12        # one of them again; its files stay in build/fuzz/7-12
    python sim/fuzz_networks.py --write-docs              # the counts of docs/verification.md, from the journal
"""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import sys
from pathlib import Path

from fuzz.docs import write_counts
from fuzz.runner import FOLDER, Journal, run


def main() -> int:
    """The exit code is 1 when a case failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, help="of all cases; without it a new one is drawn and told")
    parser.add_argument("--count", type=int, default=100, help="cases, those included that the journal has")
    parser.add_argument("--minutes", type=float, help="begin no case after this time")
    parser.add_argument("--case", type=int, help="only this one, in this process, with all its files kept")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="journal, and files of cases that failed")
    parser.add_argument("--write-docs", action="store_true", help="only write the counts into docs/verification.md")
    given = parser.parse_args()
    if given.count < 1 or (given.case is not None and given.case < 0) or (given.seed is not None and given.seed < 0):
        parser.error(
            f"--seed {given.seed} --count {given.count} --case {given.case}; allowed: a seed and a case from 0, "
            "a count from 1"
        )
    if given.write_docs:
        write_counts(Journal(given.folder / "journal.jsonl"))
        return 0
    if given.case is not None:
        if given.seed is None:
            parser.error("--case is a number within a --seed")
        return one(given.seed, given.case, given.folder)
    seed = secrets.randbelow(10**6) if given.seed is None else given.seed
    print(f"seed {seed}: to go on, python sim/fuzz_networks.py --seed {seed} --count {given.count}", flush=True)
    results = run(seed, given.count, given.folder, minutes=given.minutes, tell=lambda line: print(line, flush=True))
    return int(any(result.outcome == "failed" for result in results))


def one(seed: int, number: int, folder: Path) -> int:
    """A case in this process; its last line says what came out, unless it fails."""
    from fuzz.cases import draw
    from fuzz.judge import judge

    case = draw(seed, number)
    work = folder / case.name
    if work.is_dir():
        shutil.rmtree(work)
    work.mkdir(parents=True)
    (work / "case.json").write_text(json.dumps(case.as_json(), indent=1) + "\n")
    print(json.dumps(judge(case, work)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
