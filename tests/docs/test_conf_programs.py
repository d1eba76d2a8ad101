"""What a page tells to run, import or open is there: scripts and their options, targets of make, tests, modules, files.

Calls of the command line itself: test_conf_commands.py. Nothing is run here; tutorials are (test_tutorials.py).
"""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from bvit_hw.boards import board_names
from bvit_hw.models import PRESETS
from tests.docs.test_conf_commands import PAGES, calls

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```", re.M | re.S)
_INLINE = re.compile(r"`([^`]+)`")
_PROGRAM = re.compile(r"^(?:\S+\$ |\$ )?(?:[A-Z_]+=\S+ )*((?:python3?|make|pytest) .*)$")
#: a file or folder of ours, a module with what is in it; what has capitals stands for a name, or is in a package
_FILE = re.compile(r"(?<![\w./-])(?:bvit_hw|rtl|sim|hls|prove|tests|benchmarks|boards)/[\w./-]*\w")
_DOTTED = re.compile(r"^bvit_hw(?:\.\w+)+$")
_MADE = (".bit", ".hwh", ".xclbin")
#: a line of a block that is indented; what it does may stand behind it
_INDENTED = re.compile(r"^ {4}((?:python3?|make|pytest) .*?)(?: {3,}.*)?$", re.M)
#: pages that write the files they name
WRITE_FILES = {"docs/tutorials/add_an_operator.md", "docs/tutorials/add_a_board.md", "docs/targets.md"}
#: what a reader of a block brings along
READERS = {"images", "picture", "pictures", "batches"}
#: what a package calls the driver
DRIVER = {"bvit_hw_runtime": "bvit_hw.runtime"}


def programs(text: str) -> list[str]:
    """Calls of python, make and pytest in blocks and in code within prose, continued lines as one."""
    found = []
    for kind, body in _BLOCK.findall(text):
        if kind in ("", "sh", "console"):
            for line in re.sub(r"\\\n\s*", " ", body).splitlines():
                if match := _PROGRAM.match(re.sub(r"(^|\s)#\s.*$", "", line).strip()):
                    found.append(match[1])
    found += _INDENTED.findall(_BLOCK.sub("", text))
    for code in _INLINE.findall(_BLOCK.sub("", text)):
        if match := _PROGRAM.match(" ".join(code.split())):
            found.append(match[1])
    return [" ".join(re.sub(r"\s[|>&]\s.*$", "", call).split()) for call in found]


def _known_options(path: Path) -> str:
    """The sources in which a script's options are looked for: its own and its neighbours' that it imports."""
    text = path.read_text(encoding="utf-8")
    beside = [path.with_name(f"{name}.py") for name in re.findall(r"^(?:from|import) (\w+)", text, re.M)]
    return text + "".join(p.read_text(encoding="utf-8") for p in beside if p.is_file())


def _module(name: str) -> Path | None:
    """The file of a module or package of ours."""
    head, _, rest = name.partition(".")
    base = ROOT.joinpath(*DRIVER.get(head, head).split("."), *filter(None, rest.split(".")))
    for path in (base.with_suffix(".py"), base / "__main__.py", base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _wrong_options(words: list[str], source: str) -> str:
    options = [word.partition("=")[0] for word in words if word.startswith("-") and not word[1:2].isdigit()]
    return "; ".join(f"no option {option}" for option in options if f'"{option}"' not in source)


def complaint(call: str) -> str:
    """What is wrong with a call of python, make or pytest; nothing if it could be run."""
    program, *words = shlex.split(call)
    if program == "make":
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
        wanted = [word for word in words if "=" not in word]
        return "; ".join(f"no target {word}" for word in wanted if word not in targets)
    if program == "pytest":
        paths = [word.partition("::")[0] for word in words if "/" in word]
        options = [word for word in words if word.startswith("--")]
        absent = [f"no file {path}" for path in paths if not (ROOT / path).exists()]
        known = (ROOT / "sim" / "conftest.py").read_text()
        return "; ".join([*absent, *(f"no option {word}" for word in options if f'"{word}"' not in known)])
    if words[0] == "-m":
        path = _module(words[1])
        if path is None:
            return "" if importlib.util.find_spec(words[1]) else f"no module {words[1]}"
        sources = [p for p in path.parent.glob("*.py") if path.name == "__main__.py" or p == path]
        return _wrong_options(words[2:], "".join(p.read_text(encoding="utf-8") for p in sources))
    if not (ROOT / words[0]).is_file():
        return f"no file {words[0]}"
    return _wrong_options(words[1:], _known_options(ROOT / words[0]))


def imports(code: str) -> list[str]:
    """Imports of a block that do not succeed; those within the package that a page adds to are not looked at."""
    failed = []
    for node in ast.walk(ast.parse(code)):
        names: list[tuple[str, str | None]] = []
        if isinstance(node, ast.Import):
            names = [(alias.name, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [(node.module, alias.name) for alias in node.names]
        for module, name in names:
            head, dot, rest = module.partition(".")
            try:
                found = importlib.import_module(DRIVER.get(head, head) + dot + rest)
                if name is not None and not hasattr(found, name):
                    importlib.import_module(f"{found.__name__}.{name}")
            except ImportError as error:
                failed.append(str(error))
    return failed


def unknown(code: str, before: set[str]) -> set[str]:
    """Names that a block reads, and that neither it nor a block before it (``before``, which grows) makes."""
    read: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else before).add(node.id)
        elif isinstance(node, ast.alias):
            before.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            before.add(node.name)
        elif isinstance(node, ast.arg):
            before.add(node.arg)
    return read - before - set(dir(builtins)) - READERS


def absent_names(text: str) -> list[str]:
    """Files that prose names, and dotted names of ours in code within prose, that are not there."""
    prose = _BLOCK.sub("", text)
    files = [name for name in _FILE.findall(prose) if not re.search("[A-Z]|_$", name)]
    absent = [name for name in files if not ((ROOT / name).exists() or (ROOT / f"{name}.ipynb").exists())]
    for code in _INLINE.findall(prose):
        name = code.strip().removesuffix("()")
        if _DOTTED.match(name) and not name.endswith(_MADE):
            parts = name.split(".")
            length = next(n for n in range(len(parts), 0, -1) if _module(".".join(parts[:n])))
            path = _module(".".join(parts[:length]))
            assert path is not None
            inside = "".join(p.read_text(encoding="utf-8") for p in path.parent.glob(
                "*.py" if path.name == "__init__.py" else path.name))  # fmt: skip
            absent += [name for part in parts[length:] if not re.search(rf"\b{part}\b", inside)]
    return absent


def values(call: str) -> list[str]:
    """Boards and presets that a call of bvit-hw names, and that there are not."""
    wrong = []
    for option, known in (("--board", set(board_names())), ("--preset", set(PRESETS))):
        for value in re.findall(rf"{option} (\S+)", call):
            if not (value.isupper() or value.endswith(".toml") or value == "all" or value in known):
                wrong.append(f"{option} {value}")
    return wrong


pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@pages
def test_its_programs_are_there(page: Path) -> None:
    wrong = {call: complaint(call) for call in programs(page.read_text(encoding="utf-8"))}
    assert {call: why for call, why in wrong.items() if why} == {}


@pages
def test_its_boards_and_presets_are_there(page: Path) -> None:
    assert [wrong for call in calls(page.read_text(encoding="utf-8")) for wrong in values(call)] == []


@pages
def test_its_python_can_be_imported(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it is Python; what it imports is there, and names do not fall from the sky."""
    names: set[str] = set()
    monkeypatch.syspath_prepend(str(ROOT / "sim"))
    for kind, code in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if kind == "python" and page.relative_to(ROOT).as_posix() not in WRITE_FILES:
            assert imports(code) == [] and unknown(code, names) == set(), code
        elif kind == "python":
            ast.parse(code if not code.split("\n", 2)[1].startswith(" ") else f"class _:\n{code}")


@pages
def test_files_and_modules_that_it_names_are_there(page: Path) -> None:
    if page.relative_to(ROOT).as_posix() not in WRITE_FILES:
        assert absent_names(page.read_text(encoding="utf-8")) == []


def test_programs_are_found() -> None:
    found = [call for page in PAGES for call in programs(page.read_text(encoding="utf-8"))]
    assert len(found) > 60 and {"python", "make", "pytest"} < {call.split()[0] for call in found}


@pytest.mark.parametrize(
    ("call", "why"),
    [
        ("make docs", ""),
        ("make fuzz SEED=7", ""),
        ("make doc", "no target doc"),
        ("pytest sim/ --dut hls --hls-ip ips", ""),
        ("pytest tests/nothing.py", "no file tests/nothing.py"),
        ("python benchmarks/freezing.py --images 10", ""),
        ("python benchmarks/freezing.py --pictures 10", "no option --pictures"),
        ("python benchmarks/freeze.py", "no file benchmarks/freeze.py"),
        ("python3 -m bvit_hw_runtime --device sim selftest", ""),
        ("python3 -m bvit_hw_runtime --devices sim selftest", "no option --devices"),
        ("python -m bvit_hw.nothing", "no module bvit_hw.nothing"),
    ],
)
def test_a_wrong_program_is_noticed(call: str, why: str) -> None:
    assert complaint(call) == why


def test_wrong_names_are_noticed() -> None:
    text = "`sim/nothing.py`, `sim/mutate.py`, `bvit_hw.api.load()`, `bvit_hw.api.unload()`, `bvit_hw.apis`"
    assert absent_names(text) == ["sim/nothing.py", "bvit_hw.api.unload", "bvit_hw.apis"]
    assert values("build --board pynq-z9 --preset cifar10") == ["--board pynq-z9"]
    failed = imports("from bvit_hw_runtime import connect, disconnect")
    assert failed == ["No module named 'bvit_hw.runtime.disconnect'"]
    assert unknown("from a import b\nc = b(images, d)\nprint(c, e)", {"e"}) == {"d"}


def test_how_programs_are_read() -> None:
    block = "```\nPATH=x pytest sim/ \\\n  -m slow  # what\n$ make docs | head\n```\n"
    text = f"{block}See `python\na.py --b` and `make`.\n\n    make x    what it does\n"
    assert programs(text) == ["pytest sim/ -m slow", "make docs", "make x", "python a.py --b"]
