"""A test is found by the name of what it tests: tests/ mirrors the packages, and each file in it names a module.

Tests of ``bvit_hw/data/record.py`` are in ``tests/data/test_record.py`` or, where there are several files,
``tests/data/test_record_*.py``; those of a package as a whole in ``tests/data/test_data*.py``. A module without a file
of its own is tested by the others of its package, which come to it through their imports. Folders beside those of
``bvit_hw`` mirror the repository's.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import bvit_hw

TESTS = Path(__file__).resolve().parents[1]
PACKAGE = Path(bvit_hw.__file__).parent
#: folders of tests for what is not in the package: where the things named are
ELSEWHERE = {folder: folder for folder in ("benchmarks", "boards", "docs", "rtl")} | {"emulators": "tests/emulators"}
#: rules of the sources, which no module is the subject of
RULES = "rules"
#: files that are about more than one package
ACROSS = {"test_gpu.py": "what a GPU computes, of every package; test_null_gpu runs it by its name"}
#: modules that no test of their package comes to, and where their tests are
ELSEWHERE_TESTED = {
    "codegen.hls": "hls/: the templates are compiled and run",
    "codegen.hls_cycles": "hls/test_cycles.py",
    "contract.attention_rule": "models/test_layers.py and ops/test_binary_attention.py, which agree on it",
    "contract.builder": "freeze/: every frozen network is built by it",
    "contract.reference": "runtime/test_reference.py: it goes to the board with the driver",
    "export.ops": "qonnx/: the operator of QONNX files",
    "finn.hls": "hls/test_network.py",
    "finn.implementation": "hls/test_network.py",
    "flows.border_jobs": "pipeline/test_pipeline.py: a build synthesizes what stands around its core",
    "flows.hls_graph": "hls/",
    "flows.serial_model": "runtime/test_serial_link.py and sim/test_serial.py, which run it",
    "flows.ssh": "cli/test_deploy.py",
    "graph.implementation": "hls/",
    "sums": "cli/test_deploy.py: sums seal what is copied",
    "templates": "codegen/, flows/: all generated text",
}


def _themes(name: str) -> list[str]:
    """What ``test_NAME_THEME.py`` may be a test of: NAME_THEME, or NAME."""
    words = name.removeprefix("test_").removesuffix(".py").split("_")
    return ["_".join(words[:count]) for count in range(len(words), 0, -1)]


def nameless(tests: Path, house: Path) -> list[str]:
    """Test files that name nothing that exists."""
    found = []
    for path in sorted(tests.rglob("test_*.py")):
        file = path.relative_to(tests)
        folder = file.parent.as_posix()
        if folder == RULES or file.as_posix() in ACROSS:
            continue
        names = _themes(file.name)
        if len(file.parts) == 1:
            known = {p.stem for p in house.glob("*.py")}
        elif folder in ELSEWHERE:
            known = {p.stem for p in (tests.parent / ELSEWHERE[folder]).iterdir()}
        else:
            room = house / folder
            known = {p.stem for p in room.iterdir()} | {folder} if room.is_dir() else set()
        if not known & set(names):
            found.append(file.as_posix())
    return found


def _imports(path: Path, module: str = "") -> set[str]:
    """What the file imports, ``from`` imports with and without each name; relative ones as seen from ``module``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = module.split(".")[: -node.level] if node.level and module else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            found |= {source} | {f"{source}.{alias.name}" for alias in node.names}
    return found


def untested(tests: Path, house: Path) -> list[str]:
    """Modules that no test of their package is named after, or comes to through imports within the package."""
    found = []
    for folder in (house, *sorted(p for p in house.iterdir() if p.is_dir())):
        room = tests if folder == house else tests / folder.name
        files = sorted(room.glob("test_*.py"))
        modules = {
            ".".join((house.name, *path.relative_to(house).with_suffix("").parts)).removesuffix(".__init__"): path
            for path in sorted(folder.glob("*.py") if folder == house else folder.rglob("*.py"))
        }
        named = {name for file in files for name in _themes(file.name)}
        reached: set[str] = set()
        to_do = set().union(*map(_imports, files)) if files else set()
        to_do |= {module for module in modules if set(module.split(".")[2:]) & named}
        while to_do:
            reached |= to_do
            inside = (to_do | {module.rpartition(".")[0] for module in to_do}) & modules.keys()
            # who imports by name (operators, commands) imports all that lies beside it
            finds = {modules[m].parent for m in inside if "import_module(" in modules[m].read_text()}
            to_do = {m for m, path in modules.items() if path.parent in finds} - reached
            names = {m: m if modules[m].name != "__init__.py" else f"{m}.__init__" for m in inside}
            to_do |= set().union(inside, *(_imports(modules[m], names[m]) for m in inside)) - reached
        for module, path in modules.items():
            if not path.name.startswith("__") and module not in reached and module.split(".")[-1] not in named:
                found.append(module.removeprefix(f"{house.name}."))
    return found


def test_each_test_names_what_it_tests() -> None:
    assert not nameless(TESTS, PACKAGE), "name a test file for a module, or a package, and put it into its folder"
    assert all((TESTS / name).is_file() for name in ACROSS)


def test_each_module_has_a_test_where_it_is_looked_for() -> None:
    assert sorted(untested(TESTS, PACKAGE)) == sorted(ELSEWHERE_TESTED)


@pytest.fixture
def small(tmp_path: Path) -> tuple[Path, Path]:
    """A package with tests: ``till`` has one by name, ``money.coins`` by import, ``money.notes`` through it."""
    files = {
        "shop/__init__.py": "",
        "shop/till.py": "",
        "shop/money/__init__.py": "",
        "shop/money/coins.py": "from .notes import Note",
        "shop/money/notes.py": "import shop.till",
        "tests/test_till_drawer.py": "",
        "tests/money/test_money.py": "from shop.money import coins",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path / "tests", tmp_path / "shop"


def test_the_rule_lets_pass_what_keeps_it(small: tuple[Path, Path]) -> None:
    assert not nameless(*small) and not untested(*small)


@pytest.mark.parametrize(
    "file", ["test_tills.py", "test_money.py", "money/test_till.py", "money/test_pence.py", "goods/test_money.py"]
)
def test_a_test_that_names_nothing_is_found(small: tuple[Path, Path], file: str) -> None:
    (small[0] / file).parent.mkdir(exist_ok=True)
    (small[0] / file).touch()
    assert nameless(*small) == [file]


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("money/cheques.py", "", ["money.cheques"]),
        ("door.py", "import shop.money.coins", ["door"]),
        ("money/coins.py", "", ["money.notes"]),  # which nobody imports any more
        ("money/__init__.py", "import_module(name)", []),  # so whatever lies there is found
    ],
)
def test_a_module_without_a_test_is_found(small: tuple[Path, Path], file: str, text: str, found: list[str]) -> None:
    (small[1] / file).write_text(text)
    assert untested(*small) == found
