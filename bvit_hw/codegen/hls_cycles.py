"""Cycles a frame of an HLS template, read out of its text: loops, their bounds, and the II that each pragma states.

Vitis HLS is not asked and need not be there. What the text says is what is counted: a pipelined loop takes its trips
times its II, a loop around it multiplies that, loops after one another add up, and a dataflow region takes as long as
its slowest process. Filling and draining a pipeline is not counted: frames follow each other. A ``while`` loop counts
with the ``min`` of its ``loop_tripcount``, what it takes when frames come without a gap.

Bounds are C++: :func:`bounds_program` writes a program that prints them, with template arguments, ``using`` and
``constexpr`` declarations of the functions taken over word by word, and the compiler evaluates it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bvit_hw.codegen.hls import HlsUnit
from bvit_hw.errors import LoweringError

_PRAGMA = re.compile(r"#pragma\s+HLS\s+(.*)")
_FUNCTION = re.compile(r"template\s*<(?P<params>[^{};()]*)>\s*(?:static\s+)?[\w:<>,\s&*.()+]*?\b(?P<name>\w+)\s*\(")
_FOR = re.compile(r"(?:int|long|auto)\s+(\w+)\s*=\s*(.+?);\s*\1\s*<(=?)\s*(.+?);\s*(?:\+\+\1|\1\+\+)\s*$", re.DOTALL)
_LOOP = re.compile(r"(?:(\w+)\s*:\s*)?\b(for|while)\s*\(")
_DECLARATION = re.compile(r"^\s*((?:using\s+\w+\s*=|constexpr\s+\w+\s+\w+\s*=)[^;{]*;)", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class LoopText:
    """A loop as written. ``low`` and ``high`` bound it (None: a ``while``); ``ii`` is set where it is pipelined."""

    label: str
    low: str | None
    high: str | None
    ii: int | None
    unrolled: bool
    inner: tuple[LoopText | CallText, ...]


@dataclass(frozen=True, kw_only=True)
class CallText:
    """A call of another function template of the headers, with its template arguments."""

    function: str
    arguments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FunctionText:
    """A function template: names of its template parameters with their kinds, declarations, loops and calls."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    declarations: tuple[str, ...]
    dataflow: bool
    body: tuple[LoopText | CallText, ...]


@dataclass(frozen=True, kw_only=True)
class Loop:
    """A loop of an instance: its trips, and the cycles of all it contains; ``bound`` names what it is for."""

    path: str
    trips: int
    ii: int
    cycles: int


def _match(text: str, start: int, pair: str) -> int:
    """Index after the bracket that closes the one at ``start``."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] == pair[0]) - (text[i] == pair[1])
        if depth == 0:
            return i + 1
    raise LoweringError(f"HLS text: no {pair[1]!r} for {text[start : start + 60]!r}")


def _split(text: str) -> tuple[str, ...]:
    """Parts of a template argument list, commas within brackets left alone."""
    parts, depth, start = [], 0, 0
    for i, c in enumerate(text):
        depth += (c in "<(") - (c in ">)")
        if c == "," and depth == 0:
            parts.append(text[start:i].strip())
            start = i + 1
    return tuple(part for part in (*parts, text[start:].strip()) if part)


def _without_comments(text: str) -> str:
    return re.sub(r"//[^\n]*|/\*.*?\*/", "", text, flags=re.DOTALL)


def read_functions(headers: Sequence[Path]) -> dict[str, FunctionText]:
    """The function templates of ``headers`` by name; of overloads the first.

    Raises LoweringError for a loop that the rules of hls/README.md do not allow.
    """
    bodies: dict[str, tuple[str, str]] = {}
    for path in headers:
        text = _without_comments(path.read_text())
        for found in _FUNCTION.finditer(text):
            after = _match(text, found.end() - 1, "()")
            brace = re.compile(r"\s*\{").match(text, after)
            if brace:
                body = text[brace.end() : _match(text, brace.end() - 1, "{}") - 1]
                bodies.setdefault(found["name"], (found["params"], body))
    return {name: _function(name, params, body, set(bodies)) for name, (params, body) in bodies.items()}


def _function(name: str, params: str, body: str, known: set[str]) -> FunctionText:
    parameters = []
    for param in _split(params):
        words = param.split("=")[0].split()
        if "..." not in param:
            parameters.append(("type" if words[0] in ("typename", "class") else "value", words[-1]))
    return FunctionText(
        name=name,
        parameters=tuple(parameters),
        declarations=tuple(" ".join(d.split()) for d in _DECLARATION.findall(body)),
        dataflow=any(p.split()[0] == "dataflow" for p in _own_pragmas(body)),
        body=_contents(name, body, known - {name}),
    )


def _own_pragmas(body: str) -> list[str]:
    """Pragmas of a block, not those of blocks within it."""
    depth, found = 0, []
    for line in body.splitlines():
        pragma = _PRAGMA.match(line.strip())
        if pragma and depth == 0:
            found.append(pragma[1])
        depth += line.count("{") - line.count("}")
    return found


def _contents(where: str, body: str, known: set[str]) -> tuple[LoopText | CallText, ...]:
    found: list[LoopText | CallText] = []
    at = 0
    calls = re.compile(r"\b(" + "|".join(sorted(known)) + r")\s*(?=[<(])") if known else re.compile(r"(?!)")
    while True:
        loop, call = _LOOP.search(body, at), calls.search(body, at)
        if loop is None and call is None:
            return tuple(found)
        if loop is None or (call is not None and call.start() < loop.start()):
            assert call is not None
            at = call.end()
            arguments: tuple[str, ...] = ()
            if body[at] == "<":
                end = _match(body, at, "<>")
                arguments = _split(body[at + 1 : end - 1])
                at = end
            found.append(CallText(function=call[1], arguments=arguments))
            continue
        header_end = _match(body, loop.end() - 1, "()")
        brace = body.find("{", header_end)
        if body[header_end:brace].strip():
            raise LoweringError(f"HLS text: {where}: loop {loop[1]}: its body must stand in braces")
        end = _match(body, brace, "{}")
        found.append(
            _loop(where, loop[1] or "", loop[2], body[loop.end() : header_end - 1], body[brace + 1 : end - 1], known)
        )
        at = end


def _loop(where: str, label: str, kind: str, header: str, body: str, known: set[str]) -> LoopText:
    pragmas = _own_pragmas(body)
    pipelined = next((p for p in pragmas if p.split()[0] == "pipeline"), None)
    ii = None
    if pipelined is not None:
        stated = re.search(r"II\s*=\s*(\d+)", pipelined)
        if stated is None:
            raise LoweringError(f"HLS text: {where}: loop {label}: the pipeline pragma states no II")
        ii = int(stated[1])
    if kind == "while":
        counts = [p for p in pragmas if p.split()[0] == "loop_tripcount"]
        trips = re.search(r"min\s*=\s*([^\s].*?)\s+max", counts[0]) if counts else None
        if trips is None:
            raise LoweringError(f"HLS text: {where}: loop {label}: a while loop needs #pragma HLS loop_tripcount")
        low, high = "0", trips[1]
    else:
        bounds = _FOR.match(header.strip())
        if bounds is None:
            raise LoweringError(f"HLS text: {where}: loop {label}: for ({header}) is not int i = low; i < high; ++i")
        low, high = bounds[2], f"({bounds[4]}) + 1" if bounds[3] else bounds[4]
    if not label:
        raise LoweringError(f"HLS text: {where}: for ({header}) has no label")
    return LoopText(
        label=label,
        low=low,
        high=high,
        ii=ii,
        unrolled=any(p.split()[0] == "unroll" for p in pragmas),
        inner=_contents(f"{where}.{label}", body, known),
    )


def _costs(function: FunctionText, functions: Mapping[str, FunctionText]) -> bool:
    """Whether there is a pipelined loop in the function or in what it calls."""

    def any_in(items: Sequence[LoopText | CallText]) -> bool:
        return any(
            _costs(functions[item.function], functions)
            if isinstance(item, CallText)
            else not item.unrolled and (item.ii is not None or any_in(item.inner))
            for item in items
        )

    return any_in(function.body)


#: ("loop", path, number of bound, ii or None, children), ("sum" | "max", path, children)
_Tree = tuple[str, str, int, int | None, tuple["_Tree", ...]]


class _Writer:
    """Writes the program that prints the bounds of one instance, and keeps the tree that they belong to."""

    def __init__(self, functions: Mapping[str, FunctionText], prefix: str) -> None:
        self.functions = functions
        self.prefix = prefix
        self.lines: list[str] = []
        self.count = 0
        self.scopes = 0

    def call(self, function: FunctionText, arguments: Sequence[str], path: str) -> _Tree:
        """The function's loops with its template parameters bound to ``arguments``."""
        self.scopes += 1
        names = [f"argument_{self.scopes}_{i}" for i in range(len(function.parameters))]
        bound = list(zip(function.parameters, names, arguments, strict=False))
        # Two steps, for an argument may have the name of the parameter that it goes to.
        word = {"type": "using", "value": "constexpr int"}
        self.lines += [f"{word[kind]} {name} = {argument};" for (kind, _), name, argument in bound]
        self.lines.append("{")
        self.lines += [f"{word[kind]} {parameter} = {name};" for (kind, parameter), name, _ in bound]
        self.lines += function.declarations
        children = self.items(function.body, path)
        self.lines.append("}")
        return ("max" if function.dataflow else "sum", path, 0, None, children)

    def items(self, items: Sequence[LoopText | CallText], path: str) -> tuple[_Tree, ...]:
        found: list[_Tree] = []
        for item in items:
            if isinstance(item, CallText):
                function = self.functions[item.function]
                if _costs(function, self.functions):
                    found.append(self.call(function, item.arguments, f"{path}/{item.function}"))
            elif not item.unrolled and (item.ii is not None or item.inner):
                number = self.count
                self.count += 1
                trips = f"(long long)({item.high}) - (long long)({item.low})"
                self.lines.append(f'std::printf("{self.prefix} {number} %lld\\n", {trips});')
                children = () if item.ii is not None else self.items(item.inner, f"{path}/{item.label}")
                found.append(("loop", f"{path}/{item.label}", number, item.ii, children))
        return tuple(found)


def _evaluate(tree: _Tree, bounds: Mapping[int, int], loops: list[Loop]) -> int:
    kind, path, number, ii, children = tree
    if kind == "loop":
        trips = bounds[number]
        cycles = trips * ii if ii is not None else trips * sum(_evaluate(c, bounds, loops) for c in children)
        if ii is not None or cycles:
            loops.append(Loop(path=path, trips=trips, ii=ii or 0, cycles=cycles))
        return cycles
    costs = [_evaluate(child, bounds, loops) for child in children]
    return max(costs, default=0) if kind == "max" else sum(costs)


@dataclass(frozen=True, kw_only=True)
class CyclesProgram:
    """``text`` prints bounds when compiled and run; :meth:`cycles` makes cycles of what it printed."""

    text: str
    trees: tuple[_Tree, ...]

    def stated(self, printed: str) -> list[int]:
        """For each instance the cycles a frame that its shape states in C++."""
        words = [line.split() for line in printed.splitlines()]
        return [int(each[2]) for each in words if len(each) == 3 and each[1] == "cycles"]

    def cycles(self, printed: str) -> list[tuple[int, list[Loop]]]:
        """For each instance its cycles a frame and its loops."""
        bounds: dict[int, dict[int, int]] = {}
        for line in printed.splitlines():
            words = line.split()
            if len(words) == 3 and words[0].startswith("unit") and words[1] != "cycles":
                bounds.setdefault(int(words[0][4:]), {})[int(words[1])] = int(words[2])
        found = []
        for index, tree in enumerate(self.trees):
            loops: list[Loop] = []
            found.append((_evaluate(tree, bounds.get(index, {}), loops), loops))
        return found


def bounds_program(units: Sequence[HlsUnit], headers: Path) -> CyclesProgram:
    """The program for ``units``; ``headers`` is the folder hls/bvit. Raises LoweringError as read_functions does."""
    functions = read_functions(sorted(headers.glob("*.hpp")))
    includes = sorted({unit.header for unit in units})
    # Declarations come along that no bound needs.
    unused = ("variable", "local-typedefs")
    text = ["#include <cstdio>", *(f'#pragma GCC diagnostic ignored "-Wunused-{kind}"' for kind in unused)]
    text += [*(f'#include "bvit/{header}"' for header in includes), "using namespace bvit;"]
    trees: list[_Tree] = []
    main = ["int main() {"]
    for index, unit in enumerate(units):
        members = " ".join(f"static constexpr int {name} = {value};" for name, value in unit.config.items())
        writer = _Writer(functions, f"unit{index}")
        trees.append(writer.call(functions[unit.function], [f"Config{index}"], unit.function))
        states = f'std::printf("unit{index} cycles %lld\\n", {unit.instance.shape}<Config{index}>::cycles + 0);'
        text += [f"struct Config{index} {{ {members} }};", f"static void unit{index}() {{", states, *writer.lines, "}"]
        main.append(f"unit{index}();")
    return CyclesProgram(text="\n".join([*text, *main, "}", ""]), trees=tuple(trees))


def is_dataflow(function: str, header: Path) -> bool:
    """Whether the function template is a dataflow region."""
    return read_functions([header])[function].dataflow
