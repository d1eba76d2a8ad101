"""The style of rtl/, checked: `make lint` runs this file; it names file, line and rule of whatever breaks one.

Verible was tried first (0.0.4071): it does not parse nets declared as `wire logic`, which every file here has.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

WIDTH = 120
#: modules whose memories have columns of a multiple of 8 or 9 bits, which Vivado asks for (UG901)
_COLUMNS = ("bvit_ram", "bvit_fifo", "bvit_engine_ram")


def _code(line: str) -> str:
    """The line without its comment and its text in quotation marks."""
    return re.sub(r"\s*//.*", "", re.sub(r'"[^"]*"', '""', line)).rstrip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _line_rules(stem: str, lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        code = _code(line)
        if len(line) > WIDTH:
            yield number, f"{len(line)} columns; allowed: {WIDTH}"
        if "\t" in line or line != line.rstrip():
            yield number, "tab, or blank at the end of a line"
        if re.search(r"\bce\b|_ce\b|\bclk_?en\b|\bclock_?en", code):
            yield number, "a clock enable is called en, or ends in _en"
        if re.search(r"\$(fatal|warning|info)\b", code):
            yield number, "what is illegal is told by $error"
        if re.search(r"\{ *\(?[^(){}]*-[^(){}]*\)? *\{", code):
            yield number, "a difference may be 0, and so no count of a replication: widen by a cast, W'(signed'(x))"
        if re.search(r"\bmem\[[^]]*\]\[.*\] *<=", code) and stem not in _COLUMNS:
            yield number, f"only {', '.join(_COLUMNS)} write part of a word: in columns of whole bytes"
        if re.search(r"\bgenerate\b|\breg\b|\balways @|\balways_latch\b", code):
            yield number, "always_ff, always_comb and logic; no generate, no reg"
        if re.search(r"\b(input|inout) +(?!wire logic\b|int |bit )(?! )", code):
            yield number, "inputs are `input  wire logic`"
        if re.search(r"\boutput +(?!(wire )?logic\b)(?! )", code):
            yield number, "outputs are `output wire logic` or `output      logic`"
        if (name := re.search(r"\bbegin *: *(\w+)", code)) and not name[1].startswith("gen_"):
            yield number, f"block {name[1]}: blocks are called gen_..."
        instance = re.match(r" *(?:(?:bvit_|LUT6|CARRY)\w*(?: #\(.*\))?|\)) +(\w+) \(", code)
        if instance and not instance[1].startswith("u_"):
            yield number, f"instance {instance[1]}: instances are called u_..."
        if code.endswith(("(", " begin")) or re.search(r"\bbegin *: *\w+$", code):
            inside = next((later for later in lines[number:] if later.strip()), "")
            # A condition over several lines stands deeper than what it opens.
            opener = code.lstrip().split("(")[0].split(" ")[0].rstrip(")") not in ("||", "&&")
            if opener and code.lstrip()[:1] not in "|&" and _indent(inside) != _indent(line) + 2:
                yield number + 1, f"{_indent(inside)} blanks; a block is indented by 2"


def _file_rules(stem: str, text: str, is_model: bool) -> Iterator[tuple[int, str]]:
    if not text.startswith("// "):
        yield 1, "a file begins with the comment that says what its module does"
    if text.count("`default_nettype none") != 1 or not text.rstrip().endswith("`default_nettype wire"):
        yield 1, "`default_nettype none above the module, `default_nettype wire at the end"
    for words in re.finditer(r'\$error\(\s*"([^"]*)"', text):
        if not words[1].startswith((f"{stem}: ", "%s: ")):
            yield text.count("\n", 0, words.start()) + 1, f"a message begins with the module's name, {stem}:"
    plain = re.sub(r"//[^\n]*|/\*.*?\*/", lambda m: "\n" * m[0].count("\n"), text, flags=re.S)
    for module in re.finditer(r"^module (\w+)(.*?)^\);", plain, re.M | re.S):
        at = text.count("\n", 0, module.start()) + 1
        ports = re.findall(r"\b(?:input|output)\b[^,\n]*?(\w+) *(?:,|$)", module[2], re.M)
        control = [name for name in ("clk", "rst", "en") if name in ports]
        if ports[: len(control)] != control:
            yield at, f"{module[1]}: ports begin with {', '.join(control)}; given {', '.join(ports[:3])}"
        # Texts have none: Vivado's synthesis has refused `string`. The vendor's cells have no types either.
        if not is_model and re.search(r"\bparameter +(?!(int|bit|logic)\b|\w+ += +\")(?! )", module[2]):
            yield at, f"{module[1]}: a parameter has a type, int, bit or logic, or a text as its default"
        for name in re.findall(r"\bparameter (?:\w+(?: signed)?(?: *\[[^\]]*\])? +)?(\w+) +=", module[2]):
            if name != name.upper():
                yield at, f"parameter {name}: upper case"
        for prefix in {name.rpartition("_")[0] for name in ports if name.endswith("_tvalid")}:
            if f"{prefix}_tready" not in ports and not is_model:
                yield at, f"{module[1]}: {prefix} has tvalid without tready"


def faults(path: Path) -> list[str]:
    """What breaks the style in one file, as ``path:line: rule``."""
    text = path.read_text()
    found = [*_line_rules(path.stem, text.splitlines()), *_file_rules(path.stem, text, path.parent.name == "models")]
    return [f"{path}:{line}: {rule}" for line, rule in sorted(found)]


def main() -> int:
    """Check every file below this folder; the exit code is 1 when one breaks a rule."""
    found = [fault for path in sorted(Path(__file__).resolve().parent.rglob("*.sv")) for fault in faults(path)]
    print("\n".join(found) if found else "rtl: style holds")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
