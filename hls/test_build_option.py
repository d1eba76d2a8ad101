"""`bvit-hw build --impl`: what is asked for, what it needs, what the step leaves, and what it says was not run."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bvit_hw.errors import ConfigError, ToolError
from bvit_hw.flows.vitis_hls import vitis_command
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions, resolve
from bvit_hw.pipeline.plan import make_steps
from bvit_hw.pipeline.steps import hls


def options(impl: str = "auto", impl_of: tuple[str, ...] = ()) -> BuildOptions:
    """Those of the command line's words."""
    return resolve(
        board="pynq-z2", preset_name=None, checkpoint=None, data=None, clock_mhz=None, target_fps=None,
        simulated_images=2, jobs=1, impl=impl, impl_of=impl_of,
    )  # fmt: skip


def step_names(chosen: BuildOptions) -> list[str]:
    """Steps of a build."""
    return [step.name for step in make_steps(chosen)]


def test_the_step_is_there_when_asked_for() -> None:
    assert "hls" not in step_names(options())
    assert "hls" not in step_names(options("rtl", ("b0.p=auto",)))
    names = step_names(options("auto", ("b0.p=hls",)))
    assert names.index("fold") < names.index("hls") < names.index("package")
    (package,) = (step for step in make_steps(options("hls")) if step.name == "package")
    assert "hls" in package.after


@pytest.mark.parametrize("word", ["b0.p", "b0.p=verilog", "=hls"])
def test_a_word_that_says_nothing_is_refused(word: str) -> None:
    with pytest.raises(ConfigError, match=r"--impl-of .*; allowed: OPERATOR=auto\|hls\|rtl"):
        options("auto", (word,))


def test_without_the_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    """hls4ml is missing: told before anything runs, with the command; builds without HLS do not need it."""
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name == "hls4ml" else found(name, *a))
    with pytest.raises(ToolError, match=r"To get it: pip install hls4ml==1\.3\.0"):
        options("hls")
    with pytest.raises(ToolError, match="hls4ml"):
        options("rtl", ("b0.p=hls",))
    options("rtl")


@pytest.mark.slow
def test_the_step(built: Path, tmp_path: Path) -> None:
    """On a finished build: two operators in HLS, the rest in golden functions; projects, report, what was not run."""
    manifest = json.loads((built / "manifest.json").read_text())
    results: Mapping[str, Mapping[str, Any]] = {name: step["results"] for name, step in manifest["steps"].items()}
    earlier = {name: built / name for name in results}
    context = StepContext(tmp_path, lambda done, total: None, earlier, results)
    chosen = replace(options("auto", ("b0.p=hls", "b0.att=hls")), simulated_images=2)
    result = hls.run(context, Artefacts(chosen, earlier))
    assert result["operators"] == {"b0.p": "MultiPool", "b0.att": "BinaryAttention"}
    assert result["images"] == 2 and result["logits_equal_to_frozen"] and result["values_compared"] > 0
    for name in ("b0_p", "b0_att"):
        assert (tmp_path / name / "run_hls.tcl").is_file() and (tmp_path / name / "tb_data" / "in0.dat").is_file()
    assert (tmp_path / "bvit" / "multi_pool.hpp").is_file()
    if vitis_command() is None:
        assert "RTL from Vitis HLS: not run" in result["note"] and result["reports"] == {}
