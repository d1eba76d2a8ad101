"""Proofs of the RTL: a quick sample in `make test`, all of them and deliberate faults in `make test-slow`."""

from __future__ import annotations

import re

import pytest
from breaks import BREAKS
from docs_table import check_table
from prover import PROVE, RTL, ProofError, Task, prove, sources_of
from tasks import TASKS

NAMED = {task.name: task for task in TASKS}


@pytest.mark.parametrize("name", [task.name for task in TASKS if task.quick])
def test_quick_proofs_hold(name: str) -> None:
    outcome = prove(NAMED[name])
    assert outcome.holds, f"{name}: {outcome}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [task.name for task in TASKS if not task.quick])
def test_other_proofs_hold(name: str) -> None:
    outcome = prove(NAMED[name])
    assert outcome.holds, f"{name}: {outcome}"


def _broken(name: str, file: str, old: str, new: str) -> dict[str, str]:
    text = sources_of(NAMED[name].top)[file]
    assert text.count(old) >= 1, f"{file}: there is no {old!r} in it; it has changed, adapt the fault"
    return {file: text.replace(old, new, 1)}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "file", "old", "new"), BREAKS)
def test_faults_are_refuted(name: str, file: str, old: str, new: str) -> None:
    outcome = prove(NAMED[name], _broken(name, file, old, new))
    assert outcome.refuted, f"{name}: the fault in {file} was not noticed: {outcome}"


def test_one_fault_is_refuted_and_named() -> None:
    """The quick one: a FIFO whose skid register is not reset."""
    outcome = prove(NAMED["fifo[DEPTH=2]"], _broken(*BREAKS[0]))
    assert not outcome.holds
    assert any(name.startswith("u_order.") for name in outcome.refuted), str(outcome)


def test_every_wrapper_has_a_task_and_a_fault() -> None:
    helpers = {"fv_reset", "fv_source", "fv_sink", "fv_order", "fv_place", "fv_progress"}
    wrappers = {path.stem for path in PROVE.glob("fv_*.sv")} - helpers
    assert {task.top for task in TASKS} == wrappers
    assert {NAMED[name].top for name, *_ in BREAKS} == wrappers
    assert len(NAMED) == len(TASKS)


@pytest.mark.parametrize("fault", BREAKS, ids=lambda fault: f"{fault[1]}-{fault[0]}")
def test_faults_can_be_applied(fault: tuple[str, str, str, str]) -> None:
    assert _broken(*fault)


def test_rtl_has_no_properties_of_the_proofs() -> None:
    for path in RTL.rglob("*.sv"):
        assert not re.search(r"\b(?:assume|cover)\b\s*\(", path.read_text()), path


def test_a_wrapper_that_is_not_there_is_named() -> None:
    with pytest.raises(ProofError, match="fv_nothing"):
        prove(Task(top="fv_nothing"))


def test_the_table_of_the_docs_names_every_proof() -> None:
    assert check_table() == []
