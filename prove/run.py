"""`make prove`: all proofs, or those whose names hold one of the words given; exit code 1 if one does not hold."""

from __future__ import annotations

import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed

from docs_table import write_table
from prover import Outcome, ProofError, prove
from tasks import TASKS


def main() -> int:
    """Run the proofs in parallel; a line for each as it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="run proofs whose names hold one of these")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="proofs at a time")
    parser.add_argument("--no-cache", action="store_true", help="prove again what is proven")
    parser.add_argument("--write-docs", action="store_true", help="put what was run into the table of docs/proofs.md")
    arguments = parser.parse_args()
    chosen = [task for task in TASKS if not arguments.words or any(word in task.name for word in arguments.words)]
    if not chosen:
        print(f"no proof is named like {', '.join(arguments.words)}; there are {', '.join(t.name for t in TASKS)}")
        return 2
    failed = 0
    outcomes: dict[str, Outcome] = {}
    with ThreadPoolExecutor(arguments.jobs) as pool:
        running = {pool.submit(prove, task, use_cache=not arguments.no_cache): task for task in chosen}
        for future in as_completed(running):
            task = running[future]
            try:
                outcome = outcomes[task.name] = future.result()
                holds, text = outcome.holds, f"{outcome} ({outcome.seconds:.1f} s)"
            except ProofError as error:
                holds, text = False, str(error)
            failed += not holds
            print(f"{'holds ' if holds else 'FAILED'} {task.name}: {text}", flush=True)
    print(f"{len(chosen)} proofs, {failed} failed")
    if arguments.write_docs and not failed:
        write_table(outcomes)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
