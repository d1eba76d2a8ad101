"""All mutants of a module in one text, of which a simulation chooses one when it starts: a mutant costs no compilation.

What is mutated, an expression or a statement, stands beside its mutated forms: ``(chosen == 2 ? (a) : (a && b))``.
An expression is taken as a whole, up to its assignment, condition or port, so that no width inside it depends on what
stands beside it. Declarations, parameters and assigned parts of a net have to be known before a simulation starts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyslang.syntax import ExpressionSyntax, MemberSyntax, PortConnectionSyntax, StatementSyntax

if TYPE_CHECKING:
    from .mutants import Mutant

#: a mutant's number, its place among all of the file, is counted from here: to be found in what Verilator writes
BASE = 0x5A000000
#: holds the number in the folder in which a simulation runs; without it the original is chosen
FILE = "bvit_mutant.txt"
_CHOSEN = "bvit_mutant_pkg::chosen"
_PACKAGE = f"""\
package bvit_mutant_pkg;
  function automatic int unsigned choice();
    int file, read;
    int unsigned found;
    found = 0;
    file = $fopen("{FILE}", "r");
    if (file != 0) begin
      read = $fscanf(file, "%d", found);
      $fclose(file);
      if (read != 1) found = 0;
    end
    return found;
  endfunction
  int unsigned chosen = choice();
endpackage
"""
#: what is below these is elaborated
_FIXED = {"VariableDimension", "ParameterDeclarationStatement", "NamedParamAssignment", "ParameterValueAssignment"}


@dataclass(frozen=True)
class Carrier:
    """Byte offsets of the expression or statement that is chosen as a whole."""

    start: int
    end: int
    is_statement: bool


def _kind(node: Any) -> str:
    return str(node.kind).rpartition(".")[2]


def _carrier(node: Any, is_statement: bool = False) -> Carrier:
    place = node.sourceRange
    return Carrier(place.start.offset, place.end.offset, is_statement)


def carrier_of(node: Any, within: Sequence[Any]) -> Carrier | None:
    """Of a node that is changed, below ``within`` (outermost first); None where it is elaborated."""
    if isinstance(node, StatementSyntax):
        return _carrier(node, is_statement=True)
    # The condition of a statement is an expression; that of `?:` a part of one.
    if _kind(node) == "ConditionalPredicate" and not isinstance(within[-1], ExpressionSyntax):
        return _carrier(node)
    top = node if isinstance(node, ExpressionSyntax) else None
    child = node
    for depth, parent in reversed(list(enumerate(within))):
        kind = _kind(parent)
        if kind in _FIXED:
            return None
        if kind.endswith("AssignmentExpression"):
            if child.sourceRange.start.offset != parent.sourceRange.start.offset:
                return _carrier(child)
            statement = within[depth - 1]
            return _carrier(statement, is_statement=True) if isinstance(statement, StatementSyntax) else None
        if isinstance(parent, (StatementSyntax, MemberSyntax, PortConnectionSyntax)):
            break
        if kind == "ConditionalPredicate" and not isinstance(within[depth - 1], ExpressionSyntax):
            break
        if isinstance(parent, ExpressionSyntax):
            top = parent
        child = parent
    return _carrier(top) if top is not None else None


def schema_of(source: str, numbered: Iterable[tuple[int, Mutant]]) -> tuple[str, dict[int, set[str]]]:
    """The text in which all these mutants stand, and line -> ids of those whose text is on it.

    Raises ValueError for a mutant without a carrier.
    """
    groups: dict[Carrier, list[tuple[int, Mutant]]] = {}
    for number, mutant in numbered:
        if mutant.carrier is None:
            raise ValueError(f"{mutant.id}: is elaborated, no simulation can choose it")
        groups.setdefault(mutant.carrier, []).append((number, mutant))
    raw = source.encode()
    text, lines = [_PACKAGE], dict[int, set[str]]()
    line = 1 + _PACKAGE.count("\n")
    order = sorted(groups, key=lambda c: (c.start, -c.end))
    for part, owners in _rendered(raw, 0, len(raw), order, groups):
        for offset in range(part.count("\n") + 1):
            if owners:
                lines.setdefault(line + offset, set()).update(owners)
        line += part.count("\n")
        text.append(part)
    return "".join(text), lines


def _rendered(
    raw: bytes, low: int, high: int, order: Sequence[Carrier], groups: dict[Carrier, list[tuple[int, Mutant]]],
    owners: frozenset[str] = frozenset(),
) -> Iterator[tuple[str, frozenset[str]]]:  # fmt: skip
    """Pieces of the text from ``low`` to ``high``, and the mutants that each is of."""
    at = low
    for place, carrier in enumerate(order):
        if carrier.start < at or carrier.end > high:
            continue  # inside one that has been written
        yield raw[at : carrier.start].decode(), owners
        at = carrier.end
        members = groups[carrier]
        yield ("begin" if carrier.is_statement else "("), frozenset()
        for number, mutant in members:
            mutated = (
                raw[carrier.start : mutant.start] + mutant.replacement.encode() + raw[mutant.end : carrier.end]
            ).decode()
            words = " ".join(re.sub(r"//[^\n]*", " ", mutated).split())
            test = f"{_CHOSEN} == {BASE + number}"
            yield "\n", frozenset()
            form = f"if ({test}) begin {words} end else" if carrier.is_statement else f"{test} ? ({words}) :"
            yield form, frozenset([mutant.id])
        yield ("\nbegin " if carrier.is_statement else "\n("), frozenset()
        inner = frozenset(mutant.id for _, mutant in members)
        below = [c for c in order[place + 1 :] if c.start >= carrier.start and c.end <= carrier.end]
        yield from _rendered(raw, carrier.start, carrier.end, below, groups, inner)
        yield (" end end" if carrier.is_statement else "\n)"), frozenset()
        yield ("\n" if carrier.is_statement else ")"), frozenset()
    yield raw[at:high].decode(), owners


def numbers_in(text: str) -> set[int]:
    """Those of the mutants that something which Verilator wrote chooses."""
    return {int(found, 16) - BASE for found in re.findall(r"0x(5a[0-9a-f]{6})U", text, flags=re.IGNORECASE)}
