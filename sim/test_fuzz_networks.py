"""Fuzz of whole networks: what a case is, how a run goes on, a sample of cases, and a fault that one notices."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from fuzz import docs, judge, runner
from fuzz.cases import CYCLES, Case, draw
from fuzz.runner import Journal, Result

from bvit_hw.errors import LoweringError
from bvit_hw.flows import core_sim
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.rtl_library import source_paths

#: the least network that there is, as slow as it may be: its core compiles in seconds
LEAST = BinaryViTConfig.create(
    image_size=2, in_channels=1, patch_size=1, channels=(2,), depths=(1,), heads=(1,), mlp_widths=(2,), reductions=(2,),
    classes=2, pool_branches=False, affine=False, stem_norm=False, mean=(0.1,), std=(0.5,),
)  # fmt: skip


def least(number: int = 0) -> Case:
    return replace(
        draw(0, number), config=LEAST, coef_bits=8, slope_bits=8, board="pynq-z2", folding="random", cycles=2500,
        real="below",
    )  # fmt: skip


def test_every_field_of_the_configuration_varies() -> None:
    """But for full precision, which is never frozen; and the same seed and number give the same case."""
    cases = [draw(5, number) for number in range(300)]
    assert draw(5, 17) == cases[17]
    for name in BinaryViTConfig.model_fields:
        values = {getattr(case.config, name) for case in cases}
        assert (len(values) > 1) == (name != "full_precision"), name
    assert all(CYCLES[0] <= case.cycles <= CYCLES[1] for case in cases)
    assert {case.folding for case in cases} == {"random", "solver"} and len({case.bram18 for case in cases}) > 1


def test_what_freezing_refuses_is_told(tmp_path: Path) -> None:
    wide = LEAST.model_copy(update={"channels": (24,), "mlp_widths": (96,), "act_bits": 12, "weight_bits": 12})
    facts = judge.judge(replace(least(), config=wide, coef_bits=12, slope_bits=12), tmp_path)
    assert facts["outcome"] == "refused" and "2**24" in str(facts["why"]), facts


def test_a_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A failed case is run again and keeps its files; others are not, unless the code changed."""
    ran: list[int] = []

    def fake(argv: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        number = int(argv[argv.index("--case") + 1])
        ran.append(number)
        (tmp_path / f"3-{number}").mkdir(exist_ok=True)
        words = "Traceback\nAssertionError: logits" if number == 1 else json.dumps({"outcome": "passed", "fifos": 4})
        return subprocess.CompletedProcess(argv, int(number == 1), words, "")

    monkeypatch.setattr(subprocess, "run", fake)
    said: list[str] = []
    results = runner.run(3, 3, tmp_path, tell=said.append)
    assert [result.outcome for result in results] == ["passed", "failed", "passed"] and ran == [0, 1, 2]
    assert [path.name for path in sorted(tmp_path.glob("3-*"))] == ["3-1"]
    assert "AssertionError: logits" in (tmp_path / "3-1/log.txt").read_text()
    assert any("--seed 3 --case 1" in line for line in said)
    runner.run(3, 4, tmp_path)
    assert ran == [0, 1, 2, 1, 3]
    monkeypatch.setattr(runner, "code_digest", lambda: "other")
    runner.run(3, 1, tmp_path)
    assert ran[5:] == [0]


def test_the_page_has_the_journals_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for number, outcome in enumerate(["passed", "refused", "passed"]):
        facts: dict[str, object] = {"fifos": 40, "slower": number} if outcome == "passed" else {}
        journal.add(Result(seed=9, number=number, outcome=outcome, why="", seconds=1, code="c", facts=facts))
    rows = docs.table(Journal(journal.path)).splitlines()
    assert rows[2] == "| 9 | 3 | 2 | 1 | 0 | 0 | 80 | 0 | 0 | 2 | 0 | 0 | 0 | 0 |"
    assert rows[3] == rows[2].replace("| 9 |", "| all |")
    assert docs.BEGIN in docs.PAGE.read_text() and docs.END in docs.PAGE.read_text()


def test_mistakes_are_told() -> None:
    script = Path(runner.__file__).parents[1] / "fuzz_networks.py"
    done = subprocess.run(
        [sys.executable, str(script), "--seed", "-1"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 2 and "--seed -1" in done.stderr and "allowed" in done.stderr


@pytest.mark.slow
def test_the_least_network(tmp_path: Path) -> None:
    facts = judge.judge(least(), tmp_path)
    assert facts["outcome"] == "passed" and facts["cycles"] == facts["simulated"], facts


@pytest.mark.slow
def test_the_least_network_with_a_class_token(tmp_path: Path) -> None:
    """Four tokens and one more: five keys, a prime number. Twelve of its frames of 15 cycles are under way at once.

    In a run of eight a FIFO held 35 beats; 37 are needed to go on at that pace.
    """
    config = LEAST.model_copy(update={"class_token": True, "reductions": (1,)})
    facts = judge.judge(replace(least(), config=config), tmp_path)
    assert facts["outcome"] == "passed" and facts["cycles"] == facts["simulated"], facts
    assert int(str(facts["frames"])) >= 24, facts


@pytest.mark.slow
def test_depths_are_those_that_a_schedule_needs(tmp_path: Path) -> None:
    """FIFOs as deep as they got full were 3 % too slow here: a full one takes no beat while it gives one."""
    facts = judge.judge(draw(13, 3), tmp_path)
    assert facts["outcome"] == "passed" and int(str(facts["slower"])) > 0, facts


@pytest.mark.slow
@pytest.mark.parametrize("number", range(3))
def test_sample(number: int, tmp_path: Path) -> None:
    assert judge.judge(draw(20261127, number), tmp_path)["outcome"] in ("passed", "refused")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("bvit_fifo.sv", "== CountW'(DEPTH - 2)", "== CountW'(DEPTH - 3)", "foretold|stuck|cycles a frame"),
        ("bvit_saturate.sv", "W_BITS'(x >>> SHIFT);", "W_BITS'(x >>> SHIFT) + 1'sb1;", "gives logits"),
    ],
)
def test_a_fault_in_the_rtl_is_noticed(
    file: str, old: str, new: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In what is built as the network's own core; the FIFO with limits is the fuzz's measure, and stays right."""
    (path,) = source_paths([file])
    text = path.read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new))
    original = core_sim.source_paths
    monkeypatch.setattr(
        core_sim, "source_paths", lambda names: [tmp_path / file if p.name == file else p for p in original(names)]
    )
    with pytest.raises((AssertionError, LoweringError), match=said):
        judge.judge(least(), tmp_path)


def test_the_least_network_freezes() -> None:
    assert random_frozen(LEAST, least().weights).nodes
