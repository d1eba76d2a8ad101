"""`bvit-hw import`: what files are taken, what is refused and how, calibration on the way."""

from __future__ import annotations

import argparse
import collections
import json
import pathlib
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from bvit_hw.cli import cli, main
from bvit_hw.contract.file import save_frozen
from bvit_hw.errors import CheckpointError
from bvit_hw.freeze import random_frozen
from bvit_hw.models import BinaryViT, checkpoint_info, load_checkpoint, save_checkpoint
from bvit_hw.paper import from_paper_state, to_paper_state
from tests.picture_trees import pictures

OPTIONS = ["--heads", "1,2", "--reduction", "2,1", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["import", *map(str, arguments)])


@pytest.mark.parametrize(("prefix", "zipped"), [("", False), ("module.", True), ("_orig_mod.module.", True)])
def test_whatever_training_scripts_write_beside_the_weights(
    model: BinaryViT, tmp_path: Path, prefix: str, zipped: bool
) -> None:
    state = {prefix + name: value for name, value in to_paper_state(model).items()}
    arguments = argparse.Namespace(
        lr=5e-4, output_dir=pathlib.PosixPath("/x/y"), device=torch.device("cpu"), best=np.float64(0.7), n=np.int64(3),
        sizes=np.arange(3), seen=collections.Counter("abca"), flags={"a", "b"}, world=(1, None, True),
    )  # fmt: skip
    parameter = torch.nn.Parameter(torch.ones(2))
    parameter.sum().backward()
    optimizer = torch.optim.AdamW([parameter])
    optimizer.step()
    content = {
        "model": collections.OrderedDict(state), "optimizer": optimizer.state_dict(), "epoch": 299, "args": arguments,
        "scaler": {"scale": 65536.0, "growth_tracker": 7}, "lr_scheduler": {"last_epoch": 299},
    }  # fmt: skip
    path = tmp_path / "paper.pth"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    result = run(path, "-o", tmp_path / "out.safetensors", *OPTIONS)
    assert result.exit_code == 0, result.output
    imported = load_checkpoint(tmp_path / "out.safetensors")
    assert imported.config == model.config and imported.mode == "float"
    wanted = {name: value for name, value in model.state_dict().items() if ".impl." not in name}
    assert all(torch.equal(imported.state_dict()[name], value) for name, value in wanted.items())
    assert checkpoint_info(tmp_path / "out.safetensors") == {"imported_from": "paper.pth"}
    assert "heads 1,2, key/value pooling 2,1" in result.stdout and "taken as in the paper" not in result.stdout


def wrapped(state: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    """``state`` as it is written of a model, or of some modules, that were wrapped."""
    match how:
        case "blocks compiled":
            return {n.replace("layer.1.", "layer.1._orig_mod.", 1): t for n, t in state.items()}
        case "compiled inside DistributedDataParallel":
            return {f"module._orig_mod.{n}": t for n, t in state.items()}
        case "modules sharded and checkpointed":
            inner = "attention._fsdp_wrapped_module._checkpoint_wrapped_module.attention."
            return {n.replace("attention.attention.", inner): t for n, t in state.items()}
        case "averaged":
            return {"n_averaged": torch.tensor(7)} | {f"module.{n}": t for n, t in state.items()}
        case "averaged inside DistributedDataParallel":
            return {f"module.{n}": t for n, t in wrapped(state, "averaged").items()}
    return {n: t for n, t in state.items() if not n.endswith("num_batches_tracked")}


@pytest.mark.parametrize(
    "how",
    [
        "blocks compiled", "compiled inside DistributedDataParallel", "modules sharded and checkpointed", "averaged",
        "averaged inside DistributedDataParallel", "without counters",
    ],
)  # fmt: skip
def test_wrapped_models_and_old_files_are_the_plain_network(model: BinaryViT, tmp_path: Path, how: str) -> None:
    plain = to_paper_state(model)
    state = wrapped(plain, how)
    assert state.keys() != plain.keys()
    torch.save({"model": state}, tmp_path / "paper.pth")
    result = run(tmp_path / "paper.pth", "-o", tmp_path / "out.safetensors", *OPTIONS)
    assert result.exit_code == 0, result.output
    imported = load_checkpoint(tmp_path / "out.safetensors").state_dict()
    for name, value in model.state_dict().items():
        if ".impl." not in name and not (how == "without counters" and name.endswith("num_batches_tracked")):
            assert torch.equal(imported[name], value), name


def test_what_no_other_command_would_take_is_not_imported(model: BinaryViT, tmp_path: Path) -> None:
    state = to_paper_state(model)
    name = "vit.encoder.layer.0.layernorm_before.running_var"
    state[name] = state[name].clone()
    state[name][2] = -0.5
    torch.save(state, tmp_path / "paper.pth")
    result = run(tmp_path / "paper.pth", "-o", tmp_path / "out.safetensors", *OPTIONS)
    assert isinstance(result.exception, CheckpointError) and not (tmp_path / "out.safetensors").exists()
    assert f"negative variances: {name}, -0.5 the least" in str(result.exception)


def test_a_file_of_our_own_needs_no_import(model: BinaryViT, tmp_path: Path) -> None:
    save_checkpoint(model, tmp_path / "ours.safetensors")
    save_frozen(random_frozen(model.config, seed=1), tmp_path / "frozen.safetensors")
    for name in ("ours.safetensors", "frozen.safetensors"):
        result = run(tmp_path / name, "-o", tmp_path / "out.safetensors", *OPTIONS)
        assert isinstance(result.exception, CheckpointError) and not (tmp_path / "out.safetensors").exists()
        assert f"{name}: is a file of bvit-hw, which needs no import" in str(result.exception)


def test_mistakes_exit_with_2_and_leave_nothing(
    paper: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"

    def fails(*arguments: object) -> str:
        with pytest.raises(SystemExit) as stop:
            main(["import", *map(str, arguments)])
        assert stop.value.code == 2 and not out.exists()
        assert {p.name for p in tmp_path.iterdir()} == {"paper.pth"}
        return capsys.readouterr().err

    assert "no list of whole numbers above 0" in fails(paper, "-o", out, "--heads", "1,x")
    assert "no list of numbers, one an image channel" in fails(paper, "-o", out, "--mean", "a")
    assert "heads=(3, 2)" not in fails(paper, "-o", out, "--heads", "3,2", "--reduction", "2,1")
    assert "give --reduction" in fails(paper, "-o", out)
    assert "an input is never replaced" in fails(paper, "-o", paper, *OPTIONS)
    assert "is a folder" in fails(paper, "-o", tmp_path, *OPTIONS)
    assert "mean=(0.5,) must have in_channels=3 entries" in fails(paper, "-o", out, *OPTIONS, "--mean", "0.5")
    assert "--calibrate nowhere: neither a folder nor a known dataset" in fails(
        paper, "-o", out, *OPTIONS, "--calibrate", "nowhere"
    )
    assert f"{tmp_path}/absent: no such folder" in fails(paper, "-o", out, *OPTIONS, "--calibrate", tmp_path / "absent")


def test_calibration_on_a_folder_reports_before_and_after(paper: Path, tmp_path: Path) -> None:
    pictures(tmp_path / "pictures", classes=5, each=8)
    out = tmp_path / "out.safetensors"
    result = run(paper, "-o", out, *OPTIONS, "--calibrate", tmp_path / "pictures", "--act-bits", 9)
    assert result.exit_code == 0, result.output
    model = load_checkpoint(out)
    assert model.mode == "quant" and bool(model.calibrated) and model.config.act_bits == 9
    report = checkpoint_info(out)["calibration"]
    assert report["images"] == report["check_images"] == 20 and report["separate"] is True
    assert 0 <= report["float_accuracy"] <= 1 and report["quantized"]["cosine"] > 0.6
    assert report["frozen"]["accuracy"] is not None
    assert "before, float residual:    accuracy" in result.stdout and "cosine of logits" in result.stdout
    # Four classes in the folder are no labels for a network of five.
    pictures(tmp_path / "four", classes=4, each=2)
    refused = run(paper, "-o", out, *OPTIONS, "--calibrate", tmp_path / "four")
    assert refused.exit_code == 2 or "is there already" in str(refused.exception)
    result = run(paper, "-o", out, *OPTIONS, "--calibrate", tmp_path / "four", "--calibration-images", 3, "--overwrite")
    assert "calibrated with 3 images" in result.stdout and "labels unknown" in result.stdout
    assert json.loads(json.dumps(checkpoint_info(out)))["calibration"]["float_accuracy"] is None


def test_freeze_and_export_take_a_checkpoint_without_scales(paper: Path, tmp_path: Path) -> None:
    """And the frozen file is what freezing the calibrated import gives."""
    from bvit_hw.contract.file import load_frozen
    from bvit_hw.contract.header import model_hash
    from bvit_hw.freeze import freeze
    from bvit_hw.qonnx import load_qonnx

    pictures(tmp_path / "pictures", classes=5, each=8)
    source = ["--calibrate", str(tmp_path / "pictures")]
    assert run(paper, "-o", tmp_path / "plain.safetensors", *OPTIONS).exit_code == 0
    assert run(paper, "-o", tmp_path / "scaled.safetensors", *OPTIONS, *source).exit_code == 0
    wanted = model_hash(freeze(load_checkpoint(tmp_path / "scaled.safetensors")))
    for command, out in (("freeze", "frozen.safetensors"), ("export", "model.onnx")):
        result = CliRunner().invoke(
            cli, [command, str(tmp_path / "plain.safetensors"), "-o", str(tmp_path / out), *source]
        )
        assert result.exit_code == 0, result.output
        assert "frozen, integers only" in result.stdout
    assert model_hash(load_frozen(tmp_path / "frozen.safetensors")) == wanted
    assert load_qonnx(tmp_path / "model.onnx").get_metadata_prop("bvit.model_hash") == wanted
    again = CliRunner().invoke(
        cli, ["freeze", str(tmp_path / "scaled.safetensors"), "-o", str(tmp_path / "frozen.safetensors")]
    )
    assert again.exit_code != 0 and "is there already" in str(again.exception)


@pytest.mark.filterwarnings("ignore:Sparse")
@pytest.mark.parametrize(
    ("change", "fragment"),
    [
        (lambda t: t.to(torch.float8_e4m3fn), "float8_e4m3fn, expected numbers of float16, bfloat16, float32, float64"),
        (lambda t: t.to(torch.float8_e5m2), "float8_e5m2, expected numbers"),
        (torch.Tensor.to_sparse, "sparse_coo, expected a dense tensor"),
        (lambda t: torch.empty(t.shape, device="meta"), "without values"),
        (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), "qint8, expected floating point"),
        (lambda t: t.to(torch.complex64), "complex64, expected floating point"),
        (lambda t: t > 0, "bool, expected floating point"),
        (lambda t: torch.full_like(t, 1e300, dtype=torch.float64), "not finite"),  # an infinity as float32
    ],
)
@pytest.mark.parametrize("name", ["classifier.weight", "vit.encoder.layer.0.layernorm_before.running_var"])
def test_tensors_of_other_kinds_are_named(
    model: BinaryViT, name: str, change: Callable[[torch.Tensor], torch.Tensor], fragment: str
) -> None:
    state = to_paper_state(model)
    state[name] = change(state[name])
    with pytest.raises(CheckpointError, match=f"{name}.*{re.escape(fragment)}|{re.escape(fragment)}: {name}"):
        from_paper_state(state, heads=(1, 2), reduction=(2, 1))
