"""Mutants that a tool makes of rtl/: a few in `make test`, all of them, module by module, in `make test-slow`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from mutation import benches, docs
from mutation.journal import KILLS, TABLE, Journal, Result
from mutation.mutants import KINDS, Mutant, mutants_of, normalised
from mutation.runner import listed, modules, run
from mutation.schema import BASE, numbers_in, schema_of

TEXT = """\
`default_nettype none
module bvit_example #(
  parameter int N = 4  // words
) (
  input  wire logic clk,
  input  wire logic rst,
  input  wire logic s_axis_tvalid,
  output      logic s_axis_tready
);
  localparam int BITS = $clog2(N);
  if (N < 2) begin : gen_bad
    $error("bvit_example: N must be at least 2");
  end
  logic [BITS-1:0] count_q, other_q;
  logic full;
  assign full = count_q == BITS'(N - 1);  // all
  assign s_axis_tready = !full && other_q[0];
  always_ff @(posedge clk) begin
    if (rst) begin
      count_q <= '0;
      other_q <= '0;
    end else if (s_axis_tvalid && s_axis_tready) begin
      count_q <= count_q + 1'b1;
      if (count_q < BITS'(2)) other_q <= count_q;
    end
  end
endmodule
"""

#: kind -> what becomes of a statement of TEXT
MADE = {
    "reset": {("count_q<='0;", ";"), ("other_q<='0;", ";")},
    "compare": {
        ("assign full=count_q==BITS'(N-1);", "assign full=count_q==BITS'((N-1)-1);"),
        ("count_q<BITS'(2)", "count_q<=BITS'(2)"),
    },
    "term": {
        ("assign s_axis_tready=!full&&other_q[0];", "assign s_axis_tready=!full;"),
        ("assign s_axis_tready=!full&&other_q[0];", "assign s_axis_tready=other_q[0];"),
        ("s_axis_tvalid&&s_axis_tready", "s_axis_tvalid"),
        ("s_axis_tvalid&&s_axis_tready", "s_axis_tready"),
    },
    "negate": {
        ("s_axis_tvalid&&s_axis_tready", "!(s_axis_tvalid&&s_axis_tready)"),
        ("count_q<BITS'(2)", "!(count_q<BITS'(2))"),
    },
    "index": {("assign s_axis_tready=!full&&other_q[0];", "assign s_axis_tready=!full&&other_q[(0)+1];")},
    "width": {
        ("localparam int BITS=$clog2(N);", "localparam int BITS=($clog2(N))-1;"),
        ("logic[BITS-1:0]count_q,other_q;", "logic[(BITS-1)-1:0]count_q,other_q;"),
    },
    "constant": {("count_q<=count_q+1'b1;", "count_q<=count_q+1'b0;"), ("count_q<BITS'(2)", "count_q<BITS'(3)")},
}  # fmt: skip


def made(text: str) -> list[Mutant]:
    return mutants_of(Path("bvit_example.sv"), text)


def test_every_kind_is_made() -> None:
    """Those by hand are all that there are of each kind; parameter checks and defaults stay as they are."""
    assert set(MADE) == set(KINDS)
    for kind, changes in MADE.items():
        assert {(m.before, m.after) for m in made(TEXT) if m.kind == kind} == changes, kind


def test_a_mutant_is_one_change_in_its_place() -> None:
    for mutant in made(TEXT):
        text = mutant.apply(TEXT)
        assert text[: mutant.start] == TEXT[: mutant.start]
        assert text[mutant.start :].startswith(mutant.replacement)
        assert text.count("\n") == TEXT.count("\n")
        assert normalised(mutant.after) in normalised(text)
        made(text)  # slang parses it


def test_names_survive_another_layout() -> None:
    text = re.sub(r"//[^\n]*", "", TEXT)
    text = re.sub(r"\n *", "\n\t/* a\ncomment */ ", text.replace(" == ", "==").replace("if (", "if(  "))
    text = text.replace("\n\t/* a\ncomment */ `", "\n`")
    assert text != TEXT
    assert [m.id for m in made(text)] == [m.id for m in made(TEXT)]
    # A statement more changes no other's name.
    more = TEXT.replace("  logic full;\n", "  logic full, more_q;\n  always_ff @(posedge clk) more_q <= !full;\n")
    assert {m.id for m in made(TEXT) if "full" not in m.before} <= {m.id for m in made(more)}


def test_every_module_has_mutants_of_its_own_names() -> None:
    for name, path in modules().items():
        ids = [mutant.id for mutant in mutants_of(path)]
        assert ids, f"{name}: the tool makes no mutant of it"
        assert len(ids) == len(set(ids)), name


def test_listed_survivors_are_still_made() -> None:
    """What is argued about a mutant holds for its text; an entry of a mutant that is gone goes with it."""
    there = {mutant.id: mutant for path in modules().values() for mutant in mutants_of(path)}
    for name, entry in listed().items():
        assert name in there, f"survivors.toml: no mutant is called {name}; it was {entry['change']}"
        assert entry["change"] == f"{there[name].before}  ->  {there[name].after}", name
        assert ("equivalent" in entry) != ("open" in entry), f"{name}: equivalent = why, or open = what is lacking"


def test_the_table_of_the_docs_names_every_module() -> None:
    assert set(docs.rows()) == {*modules(), "all"}, "to write it: python sim/mutate.py --write-docs"


def test_a_mutant_stands_beside_what_it_is_made_of() -> None:
    """What is elaborated has no carrier; the rest is chosen by number, and the original stands last."""
    mutants = made(TEXT)
    apart = {m.after for m in mutants if m.carrier is None}
    assert apart == {"localparam int BITS=($clog2(N))-1;", "logic[(BITS-1)-1:0]count_q,other_q;"}
    together = [(n, m) for n, m in enumerate(mutants, 1) if m.carrier is not None]
    text, lines = schema_of(TEXT, together)
    made(text)  # slang parses it
    assert numbers_in("".join(f"0x{BASE + n:x}U" for n, _ in together)) == {n for n, _ in together}
    rows = text.splitlines()
    for number, mutant in together:
        (row,) = (row for row in rows if f" == {BASE + number} " in row or f" == {BASE + number})" in row)
        assert lines[rows.index(row) + 1] == {mutant.id}
        assert mutant.replacement in row
    # Without the mutants' lines and what holds them it is the original.
    kept = "\n".join(row for row in rows if "chosen ==" not in row).partition("endpackage")[2]
    bare = re.sub(r"[\s()]|\bbegin\b|\bend\b", "", kept)
    assert bare == re.sub(r"[\s()]|\bbegin\b|\bend\b", "", TEXT)


def test_results_merge_and_drop_out(tmp_path: Path) -> None:
    """Two runs add to one table at once; a result whose text is gone goes, an error is not kept."""
    path = tmp_path / "results.tsv"
    one, two = Journal(path), Journal(path)
    first = Result(id="bvit_b-term-1", outcome="killed", by="t[a b]", text="11")
    second = Result(id="bvit_a-term-2", outcome="survived", by="", text="22", benches="33")
    one.add(first)
    two.add(second)
    two.add(Result(id="bvit_c-term-3", outcome="error", by="", text="44"))
    assert path.read_text() == "bvit_a-term-2\t22\tsurvived\t\t33\nbvit_b-term-1\t11\tkilled\tt[a b]\n"
    again = Journal(path)
    assert again.results == {r.id: r for r in (first, second)}
    mutant = next(m for m in made(TEXT))
    again.add(Result(id=mutant.id, outcome="survived", by="", text="55", benches="66"))
    assert again.find(mutant, "55", "66") is not None
    assert again.find(mutant, "55", "other benches") is None
    assert again.find(mutant, "55", "other benches", argued=True) is not None
    assert again.find(mutant, "other text", "66") is None
    again.keep([(first.id, "11"), (second.id, "another text")])
    assert path.read_text() == first.line


def test_the_committed_results_are_of_the_texts() -> None:
    """Sorted, one line a mutant; a few of another text than today's do no harm, `make mutants` drops them."""
    lines = TABLE.read_text().splitlines()
    assert lines == sorted(lines)
    names = [line.split("\t")[0] for line in lines]
    assert len(set(names)) == len(names)
    assert len(Journal().results) == len(names)


def noticed(results: list[Result], wanted: int) -> None:
    """Fail for what no bench noticed and nobody argued about, for what went wrong, and for what is argued wrongly."""
    known = listed()
    assert len(results) == wanted
    wrong = [f"{r.id}: {r.outcome} {r.why}" for r in results if r.outcome == "error"]
    wrong += [f"{r.id}: no bench notices it" for r in results if r.outcome == "survived" and r.id not in known]
    wrong += [f"{r.id}: listed, but {r.outcome} by {r.by}" for r in results if r.outcome in KILLS and r.id in known]
    assert not wrong, "\n".join(wrong)


def sample(name: str) -> list[Mutant]:
    """The first by name of every kind: always the same, but for another module another."""
    known, found = listed(), sorted(mutants_of(modules()[name]), key=lambda m: m.id)
    return [next(m for m in found if m.kind == kind and m.id not in known) for kind in sorted({m.kind for m in found})]


def test_a_sample_is_noticed(tmp_path: Path) -> None:
    ids = {mutant.id for mutant in sample("bvit_duplicate")}

    def judged() -> list[Result]:
        journal = Journal(tmp_path / "results.tsv")
        return run(["bvit_duplicate"], journal, only=lambda m: m.id in ids, among=["sim/test_glue.py"], kept=tmp_path)

    results = judged()
    noticed(results, len(ids))
    assert all(result.outcome in KILLS for result in results)
    assert {r.line for r in judged()} == {r.line for r in results}  # what is in the table is not run again


def test_tried_together_as_apart(tmp_path: Path) -> None:
    """One model has the mutants of a sample side by side: each is noticed as it is in a model of its own."""
    ids = {mutant.id for mutant in sample("bvit_duplicate") if mutant.carrier is not None}
    journal = Journal(tmp_path / "results.tsv")
    results = run(
        ["bvit_duplicate"], journal, only=lambda m: m.id in ids, among=["sim/test_glue.py"], apart=False, kept=tmp_path
    )
    assert {r.id: (r.outcome, r.tests) for r in results} == dict.fromkeys(ids, ("killed", 1))
    assert len({r.by for r in results}) == 1  # by the first test, in one run


def test_what_no_bench_can_notice_survives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutant that changes nothing: Verilator makes the same of it, and that is said."""
    monkeypatch.setattr("mutation.runner.mutants_of", lambda path: [
        Mutant(module=path.stem, kind="term", start=0, end=0, replacement="/* nothing */", before="a", after="b")
    ])  # fmt: skip
    (result,) = run(["bvit_duplicate"], Journal(tmp_path / "results.tsv"), among=["sim/test_glue.py"], kept=tmp_path)
    assert (result.outcome, result.tests) == ("survived", 0)
    with pytest.raises(AssertionError, match="no bench notices it"):
        noticed([result], 1)


def test_a_bench_that_fails_anyway_notices_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test that notices a mutant is run with the original too: a broken bench would notice everything."""

    def run_broken(server: benches.Server, tests: Sequence[str], *_: object) -> tuple[list[dict[str, object]], str]:
        if list(tests) == ["sim/test_glue.py"]:
            files = ["bvit_duplicate.sv"]
            return [{"test": "t", "files": files, "direct": files, "long": False}], ""
        return [{"test": "t", "outcome": "killed", "why": "broken"}], ""

    monkeypatch.setattr(benches.Server, "run", run_broken)
    (mutant, *_) = sample("bvit_duplicate")
    journal = Journal(tmp_path / "results.tsv")
    (result,) = run(
        ["bvit_duplicate"], journal, only=lambda m: m.id == mutant.id, among=["sim/test_glue.py"], kept=tmp_path
    )
    assert (result.outcome, result.why) == ("error", "t fails with the original too")
    with pytest.raises(AssertionError, match="fails with the original too"):
        noticed([result], 1)


@pytest.mark.slow
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("name", sorted(modules()))
def test_all_are_noticed(name: str) -> None:
    noticed(run([name], Journal()), len(mutants_of(modules()[name])))
