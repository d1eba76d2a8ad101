"""The steps of `bvit-hw build`, in order, and what each depends on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bvit_hw.flows.cache import any_cached
from bvit_hw.pipeline import hardware_steps, hls_step, steps
from bvit_hw.pipeline.engine import Step, StepContext
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.resources import data_path

_PACKAGE = Path(__file__).resolve().parents[1]


def _code(*names: str) -> tuple[Path, ...]:
    return tuple(_PACKAGE / name for name in names)


def _content(data: str) -> str:
    """What tells whether images have changed: a file's hash, a folder's listing, a dataset's name."""
    path = Path(data.partition("=")[2] or data).expanduser()
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    if not path.is_dir():
        return data
    listing = hashlib.sha256()
    for entry in sorted(path.rglob("*")):
        facts = entry.lstat()
        listing.update(f"{entry.relative_to(path)}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
    return listing.hexdigest()


def make_steps(options: BuildOptions) -> list[Step]:
    """All steps for ``options``; a step runs again when its inputs, its code or a step before it changed."""

    def step(
        name: str,
        title: str,
        run: Callable[[StepContext, BuildOptions], Mapping[str, Any]],
        after: tuple[str, ...],
        inputs: Mapping[str, Any],
        code: tuple[Path, ...],
        needs: tuple[str, ...] = (),
    ) -> Step:
        return Step(name, title, partial(_call, run, options), after=after, inputs=inputs, code=code, needs=needs)

    with options.checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    chosen = {"checkpoint": digest, "data": "none" if options.data is None else _content(options.data)}
    if options.calibrate is not None:
        chosen["calibrate"] = _content(options.calibrate)
    board = options.board.model_dump(mode="json")
    # Models that were compiled before need no compiler; whether they are those of this build is seen in the step.
    compilers = () if any_cached("models") else ("g++", "make")
    rtl = data_path("rtl")
    ops = _code("contract", "qonnx", "ops", "graph", "finn", "targets")
    front = ("checkpoint", "freeze")
    generated = (*front, "lower", "fold", "generate")
    hls = [
        step(
            "hls", "hls: operators as compiled templates", hls_step.run_hls, (*front, "lower", "fold"),
            {"impl": options.impl, "impl_of": options.impl_of, "images": options.simulated_images},
            (*_code("codegen", "flows"), data_path("hls")), () if any_cached("csim") else ("g++",),
        )
    ] if hls_step.wants_hls(options) else []  # fmt: skip
    return [
        step(
            "checkpoint", "checkpoint: accuracy of the QAT model", steps.run_checkpoint, (),
            chosen, _code("contract", "models", "freeze", "execute", "data", "calibration.py", "network_file.py"),
        ),
        step(
            "freeze", "freeze: integers only", steps.run_freeze, ("checkpoint",), {"model_name": options.model_name},
            _code("contract", "models", "freeze"),
        ),
        step("export", "export: QONNX, equal to frozen", steps.run_export, front, {}, _code("contract", "qonnx")),
        step("lower", "lower: hardware operators", steps.run_lower, (*front, "export"), {}, ops),
        step(
            "fold", "fold: solve for the board", hardware_steps.run_fold, (*front, "lower"),
            {"board": board, "target_fps": options.target_fps}, (),
        ),
        *hls,
        step(
            "generate", "generate: FIFO depths, RTL, lint", hardware_steps.run_generate, (*front, "lower", "fold"),
            {}, (*_code("codegen", "flows"), rtl), ("verilator", *compilers),
        ),
        step(
            "simulate", "simulate: test images through the RTL", hardware_steps.run_simulate, generated,
            {"images": options.simulated_images}, (), ("verilator", *compilers),
        ),
        step(
            "synthesize", "synthesize: Yosys estimate", hardware_steps.run_synthesize, generated, {}, (), ("pyosys",),
        ),
        step(
            "package", "package: IP, scripts, driver, notebooks, simulated device", hardware_steps.run_package,
            (*generated, *(step.name for step in hls)),
            {"simulated_device": options.simulated_device},
            (
                *_code("contract", "runtime"), *_code("pipeline/board_package.py"),
                data_path("boards") / "notebooks", data_path("hls") / "movers",
            ),
            ("verilator", *compilers) if options.simulated_device else (),
        ),
        step("bitstream", "bitstream: Vivado", hardware_steps.run_bitstream, ("package",), {}, ()),
    ]  # fmt: skip


def _call(
    run: Callable[[StepContext, BuildOptions], Mapping[str, Any]], options: BuildOptions, context: StepContext
) -> Mapping[str, Any]:
    return run(context, options)


def identity(options: BuildOptions) -> dict[str, str]:
    """Whose an output folder is: one board and one checkpoint."""
    with options.checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"board": options.board.name, "checkpoint": digest}


def identity_files(options: BuildOptions) -> dict[str, str]:
    """The files that the hashes of :func:`identity` are of."""
    return {"checkpoint": str(options.checkpoint.absolute())}
