"""Mutants of one SystemVerilog file: small faults found by walking slang's syntax tree, each with its exact place.

Only code that becomes hardware is changed: checks of parameters, conditions that choose between implementations,
defaults of parameters, ports, attributes and nets named ``unused`` are left alone.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyslang

from .schema import Carrier, carrier_of

#: what is changed -> what it stands for, in the order of the table in docs/mutants.md
KINDS = {
    "reset": "the reset of one register deleted",
    "compare": "a comparison off by one",
    "term": "a term dropped from a conjunction or disjunction",
    "negate": "a condition negated",
    "index": "an index moved by one",
    "width": "a width cut by one",
    "constant": "a constant off by one, a bit inverted",
}
_STRICTER = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_TERMS = {"LogicalAndExpression", "LogicalOrExpression", "BinaryAndExpression", "BinaryOrExpression"}
#: the statement that a mutation is told by
_STATEMENTS = {
    "ContinuousAssign", "ExpressionStatement", "DataDeclaration", "ParameterDeclarationStatement", "ReturnStatement",
    "NamedPortConnection", "NamedParamAssignment", "ConditionalPredicate", "LoopGenerate",
}  # fmt: skip
#: below these nothing becomes hardware, or it has no meaning of its own
_SKIPPED = {
    "ParameterPortList", "AnsiPortList", "ElabSystemTask", "AttributeInstance", "NamedBlockClause",
    "EventControlWithExpression", "GenvarDeclaration", "StringLiteralExpression",
}  # fmt: skip
#: parameters of a primitive that choose how it is built: every choice does the same
_CHOICES = r"\.(BLOCK|STYLE|USE_DSP|PRIMITIVES|ROM_STYLE)\b"
_LITERALS = {"IntegerLiteralExpression", "IntegerVectorExpression", "UnbasedUnsizedLiteralExpression"}


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """``start`` and ``end`` are byte offsets into the file; ``before`` and ``after`` the statement, layout removed."""

    module: str
    kind: str
    start: int
    end: int
    replacement: str
    before: str
    after: str
    ordinal: int = 0  #: among those of the same kind and statement
    carrier: Carrier | None = None  #: what stands beside its mutated form, where that can be chosen at run time

    @property
    def id(self) -> str:
        """The same whatever blanks, line breaks and comments are around: it hashes the statement's words."""
        words = hashlib.sha256(f"{self.before}\n{self.after}".encode()).hexdigest()[:8]
        return f"{self.module}-{self.kind}-{words}" + (f"-{self.ordinal}" if self.ordinal else "")

    def apply(self, text: str) -> str:
        """The mutated text, with as many lines as before, so that messages and compiled models can be compared."""
        source = text.encode()
        lines = source[self.start : self.end].count(b"\n")
        return (source[: self.start] + self.replacement.encode() + b"\n" * lines + source[self.end :]).decode()


def normalised(text: str) -> str:
    """Without comments, and with blanks only where two words would run together."""
    bare = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"\s*(\W)\s*", r"\1", bare)).strip()


@dataclass(frozen=True)
class _Change:
    node: Any
    kind: str
    replacement: str
    within: tuple[Any, ...]  #: the node's ancestors, outermost first


def mutants_of(path: Path, text: str | None = None) -> list[Mutant]:
    """All mutants of a file, in the order of the text, each mutated text once; ``text`` replaces what it has."""
    source = path.read_text() if text is None else text
    tree = _parse(source, path.name)
    raw = source.encode()
    found: list[Mutant] = []
    counts: Counter[tuple[str, str, str]] = Counter()
    seen: set[str] = set()
    for change in _walk(tree.root, (), raw):
        start, end = _span(change.node)
        statement = next((n for n in reversed(change.within) if _kind(n) in _STATEMENTS), change.node)
        low, high = _span(statement)
        low, high = min(low, start), max(high, end)
        before = normalised(raw[low:high].decode())
        after = normalised((raw[low:start] + change.replacement.encode() + raw[end:high]).decode())
        key = (change.kind, before, after)
        mutant = Mutant(
            module=path.stem, kind=change.kind, start=start, end=end, replacement=change.replacement,
            before=before, after=after, ordinal=counts[key], carrier=carrier_of(change.node, change.within),
        )  # fmt: skip
        mutated = mutant.apply(source)
        if before == after or mutated in seen:
            continue
        seen.add(mutated)
        counts[key] += 1
        found.append(mutant)
    return found


def _parse(source: str, name: str) -> Any:
    """The tree as Verilator sees the file: slang's own macro is not defined."""
    options = pyslang.parsing.PreprocessorOptions()
    options.undefines = ["__slang__"]
    bag = pyslang.Bag()
    bag.preprocessorOptions = options
    tree = pyslang.syntax.SyntaxTree.fromText(source, pyslang.SourceManager(), name, name, bag)
    errors = [d for d in tree.diagnostics if d.isError()]
    if errors:
        raise ValueError(f"{name}: slang does not parse it: {errors[0]}")
    return tree


def _kind(node: Any) -> str:
    return str(node.kind).rpartition(".")[2]


def _span(node: Any) -> tuple[int, int]:
    place = node.sourceRange
    return place.start.offset, place.end.offset


def _text(node: Any, raw: bytes) -> str:
    low, high = _span(node)
    return raw[low:high].decode()


def _children(node: Any) -> list[Any]:
    return [c for c in node if not isinstance(c, pyslang.parsing.Token)]


def _operator(node: Any) -> str:
    return next((t.rawText for t in node if isinstance(t, pyslang.parsing.Token)), "")


def _is_check(node: Any) -> bool:
    """An ``if`` of elaboration that only refuses parameters."""
    return _kind(node) == "IfGenerate" and any(
        _kind(inner) == "ElabSystemTask" for block in _children(node) for inner in _children(block)
    )


def _walk(node: Any, within: tuple[Any, ...], raw: bytes) -> Iterator[_Change]:
    kind = _kind(node)
    if kind in _SKIPPED or _is_check(node):
        return
    if kind in ("ContinuousAssign", "DataDeclaration") and re.search(r"\bunused\w*\s*(=|;)", _text(node, raw)):
        return
    children = _children(node)
    yield from _changes(node, kind, within, raw)
    if kind == "IfGenerate":
        children = children[1:]  # which implementation is built is no fault of the hardware
    if kind == "LoopGenerate":
        children = children[-1:]
    if kind == "ConditionalStatement" and _is_reset(children[0], raw):
        children = children[2:]  # values in reset: the deleted reset is the harder fault
    if kind == "NamedParamAssignment":
        children = []
    if kind in ("EqualityExpression", "InequalityExpression") and _off_by_one(children[1], raw) is not None:
        children = children[:1]  # the constant has moved as a whole
    for child in children:
        yield from _walk(child, (*within, node), raw)


def _is_reset(predicate: Any, raw: bytes) -> bool:
    return re.fullmatch(r"(\w+_)?rst", _text(predicate, raw).strip()) is not None


def _changes(node: Any, kind: str, within: tuple[Any, ...], raw: bytes) -> Iterator[_Change]:
    def change(what: Any, name: str, replacement: str) -> _Change:
        return _Change(what, name, replacement, within if what is node else (*within, node))

    parts = _children(node)
    if kind == "ConditionalStatement" and _is_reset(parts[0], raw):
        yield from _resets(parts, (*within, node), raw)
    elif kind in ("ConditionalStatement", "ConditionalExpression"):
        yield change(parts[0], "negate", f"!({_text(parts[0], raw)})")
    elif kind in _TERMS:
        left, right = (_text(part, raw) for part in parts)
        yield change(node, "term", left)
        if _kind(parts[0]) != kind:
            yield change(node, "term", right)
    elif (symbol := _operator(node) if kind.endswith("Expression") and len(parts) == 2 else "") in _STRICTER and (
        kind.startswith(("LessThan", "GreaterThan"))
    ):
        left, right = (_text(part, raw) for part in parts)
        yield change(node, "compare", f"{left} {_STRICTER[symbol]} {right}")
    elif kind in ("EqualityExpression", "InequalityExpression"):
        if (moved := _off_by_one(parts[1], raw)) is not None:
            yield change(parts[1], "compare", moved)
        else:
            left, right = (_text(part, raw) for part in parts)
            yield change(node, "negate", f"{left} {'!=' if symbol == '==' else '=='} {right}")
    elif kind == "BitSelect":
        name = "width" if _declares(within) else "index"
        yield change(parts[0], name, f"({_text(parts[0], raw)}) {_step(parts[0], raw)} 1")
    elif kind in ("AscendingRangeSelect", "DescendingRangeSelect"):
        yield change(parts[0], "index", f"({_text(parts[0], raw)}) + 1")
    elif kind == "SimpleRangeSelect":
        if _declares(within):
            yield change(parts[0], "width", f"({_text(parts[0], raw)}) - 1")
        else:
            yield change(parts[0], "width", f"({_text(parts[0], raw)}) - 1")
            yield change(node, "index", " : ".join(f"({_text(part, raw)}) + 1" for part in parts))
    elif kind == "NamedParamAssignment" and parts and not re.match(_CHOICES, _text(node, raw)):
        if '"' not in (value := _text(parts[0], raw)) and not re.fullmatch(r"\w*FILE\w*", value):
            yield change(parts[0], "constant", f"({value}) - 1")
    elif kind == "ParameterDeclarationStatement":
        yield from _localparams(node, within, raw)
    elif kind in _LITERALS and _is_value(node, within):
        yield from (change(node, "constant", text) for text in _next_values(_text(node, raw)))


def _step(index: Any, raw: bytes) -> str:
    """Downwards where that stays inside more likely."""
    return "+" if _text(index, raw).strip() in ("0", "'0", "1'b0") else "-"


def _declares(within: Sequence[Any]) -> bool:
    return any(_kind(node) == "VariableDimension" for node in within)


def _resets(parts: Sequence[Any], within: tuple[Any, ...], raw: bytes) -> Iterator[_Change]:
    """Each assignment in the branch of ``if (rst)``; where there is but one, the register does not see reset at all."""
    branch = parts[1]
    statements = [branch] if _kind(branch) == "ExpressionStatement" else _nested(branch, "ExpressionStatement")
    if len(statements) == 1:
        yield _Change(parts[0], "reset", "1'b0", (*within, branch))
        return
    for statement in statements:
        yield _Change(statement, "reset", ";", within)


def _nested(node: Any, kind: str) -> list[Any]:
    if _kind(node) == kind:
        return [node]
    return [found for child in _children(node) for found in _nested(child, kind)]


def _localparams(node: Any, within: tuple[Any, ...], raw: bytes) -> Iterator[_Change]:
    for declarator in _nested(node, "Declarator"):
        for clause in _nested(declarator, "EqualsValueClause"):
            value = _children(clause)[0]
            text = _text(value, raw)
            if '"' not in text and "'{" not in text:
                yield _Change(value, "width" if "$clog2" in text else "constant", f"({text}) - 1", (*within, node))


def _off_by_one(node: Any, raw: bytes) -> str | None:
    """A constant one less (one more than zero): ``N'(COUNT - 1)`` as ``N'(COUNT - 1 - 1)``; None for a variable."""
    kind, text = _kind(node), _text(node, raw)
    if kind in _LITERALS:
        return next(iter(_next_values(text)), None)
    if kind == "CastExpression":
        width, value = _children(node)
        inside = _text(value, raw).strip()
        return f"{_text(width, raw)}'({inside} - 1)" if _is_constant(inside) else None
    return f"({text} - 1)" if _is_constant(text) else None


def _is_constant(text: str) -> bool:
    """Parameters are upper case, local ones at least begin so; registers and nets are lower case."""
    return not re.search(r"\b[a-z]\w*\b", re.sub(r"\d*'[bdh]\w+|\$\w+", "", text))


def _is_value(node: Any, within: Sequence[Any]) -> bool:
    """A literal whose change no other kind makes: not a bound, an index, a comparison's side or a localparam."""
    names = [_kind(n) for n in within]
    if {"VariableDimension", "ElementSelect", "ParameterDeclarationStatement", "ForLoopStatement"} & set(names):
        return False
    parent, last = within[-1], _children(within[-1])[-1]
    if names[-1] == "CastExpression" and _span(last) != _span(node):
        return False  # the width of a cast
    if names[-1] == "MultipleConcatenationExpression" and _span(_children(parent)[0]) == _span(node):
        return False  # how often something is repeated
    return bool({"ContinuousAssign", "ExpressionStatement", "NamedPortConnection", "ConditionalPredicate"} & set(names))


def _next_values(text: str) -> Iterator[str]:
    """The literal one up, modulo its size; a fill of zeros as one of ones."""
    if fill := re.fullmatch(r"'([01])", text):
        yield "'1" if fill[1] == "0" else "'0"
    elif text.isdecimal():
        yield str(int(text) + 1)
    elif sized := re.fullmatch(r"(\d+)'(s?)([bdh])([0-9a-fA-F_]+)", text):
        size, base = int(sized[1]), {"b": 2, "d": 10, "h": 16}[sized[3]]
        value = (int(sized[4].replace("_", ""), base) + 1) % (1 << size)
        yield f"{size}'{sized[2]}{sized[3]}{format(value, {2: 'b', 10: 'd', 16: 'x'}[base])}"
