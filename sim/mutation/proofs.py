"""Whether a proof refutes a mutant that no bench noticed."""

from __future__ import annotations

import subprocess
import sys
import tempfile

from .benches import ROOT

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


def proof_of(file: str, text: str) -> tuple[str, str, str]:
    """Outcome, proof and property for the file ``file`` of rtl/ with the mutated ``text``."""
    with tempfile.NamedTemporaryFile("w", suffix=".sv") as stream:
        stream.write(text)
        stream.flush()
        try:
            done = subprocess.run(
                [sys.executable, "-c", _PROOF, file, stream.name], cwd=ROOT / "prove",
                capture_output=True, text=True, timeout=600, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "survived", "", ""
    words = done.stdout.split()
    return ("proof", words[1], words[2]) if words[:1] == ["refuted"] else ("survived", "", "")
