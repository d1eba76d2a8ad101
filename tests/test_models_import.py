"""`bvit-hw import`: what files are read, what is refused and how, calibration on the way."""

from __future__ import annotations

import argparse
import collections
import fractions
import json
import os
import pathlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from bvit_hw.cli import cli, main
from bvit_hw.errors import CheckpointError, ConfigError, DatasetError
from bvit_hw.freeze.calibrate import agreement, calibrate
from bvit_hw.models import BinaryViT, checkpoint_info, load_checkpoint
from bvit_hw.models.torch_file import read_state
from bvit_hw.paper import from_paper_state, to_paper_state
from tests.frozen_factory import CONFIGS, calibrated_model, random_pixels

CONFIG = CONFIGS["pyramid"]
OPTIONS = ["--heads", "1,2", "--reduction", "2,1", "--mean", "0.5,0.5,0.5", "--std", "0.5,0.5,0.5"]


@pytest.fixture(scope="module")
def model() -> BinaryViT:
    """A float-residual network with settled statistics."""
    from bvit_hw.data import normalize

    settled = calibrated_model(CONFIG, normalize(random_pixels(CONFIG, 16), CONFIG.mean, CONFIG.std))
    settled.calibrated.fill_(False)
    return settled.set_mode("float")


@pytest.fixture
def paper(model: BinaryViT, tmp_path: Path) -> Path:
    path = tmp_path / "paper.pth"
    torch.save({"model": to_paper_state(model), "epoch": 299}, path)
    return path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["import", *map(str, arguments)])


class Runs:
    """Unpickled by ordinary means, this would make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


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


def test_names_that_meet_without_their_wrappers_are_refused(model: BinaryViT, tmp_path: Path) -> None:
    state = to_paper_state(model)
    torch.save(state | {"_orig_mod.classifier.bias": torch.zeros(5)}, tmp_path / "paper.pth")
    with pytest.raises(CheckpointError, match=r"classifier\.bias and _orig_mod\.classifier\.bias are both"):
        read_state(tmp_path / "paper.pth")


def test_what_no_other_command_would_take_is_not_imported(model: BinaryViT, tmp_path: Path) -> None:
    state = to_paper_state(model)
    name = "vit.encoder.layer.0.layernorm_before.running_var"
    state[name] = state[name].clone()
    state[name][2] = -0.5
    torch.save(state, tmp_path / "paper.pth")
    result = run(tmp_path / "paper.pth", "-o", tmp_path / "out.safetensors", *OPTIONS)
    assert isinstance(result.exception, CheckpointError) and not (tmp_path / "out.safetensors").exists()
    assert f"negative variances: {name}, -0.5 the least" in str(result.exception)


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


def test_the_state_alone_and_safetensors(model: BinaryViT, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    state = to_paper_state(model)
    torch.save(state, tmp_path / "bare.pth")
    save_file(state, tmp_path / "bare.safetensors")
    for name in ("bare.pth", "bare.safetensors"):
        found = read_state(tmp_path / name)
        assert found.keys() == state.keys() and all(torch.equal(found[key], state[key]) for key in state)


@pytest.mark.parametrize("zipped", [True, False])
def test_no_code_in_a_file_is_run(model: BinaryViT, tmp_path: Path, zipped: bool) -> None:
    path, mark = tmp_path / "evil.pth", tmp_path / "mark"
    torch.save({"model": to_paper_state(model), "args": Runs(mark)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(CheckpointError, match=r"evil\.pth: refers to posix\.mkdir, which only running code"):
        read_state(path)
    assert not mark.exists()
    torch.save({"model": to_paper_state(model), "args": fractions.Fraction(1, 2)}, path)
    with pytest.raises(CheckpointError, match=r"refers to fractions\.Fraction"):
        read_state(path)
    torch.save({"model": to_paper_state(model), "args": collections.defaultdict(list, {"a": [1]})}, path)
    with pytest.raises(CheckpointError, match=r"refers to collections\.defaultdict"):
        read_state(path)
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(CheckpointError, match=r"refers to torch\.nn\.modules\.linear\.Linear"):
        read_state(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "holds a list; expected a dictionary of tensors"),
        ({}, "holds no tensors"),
        ({"model": {}}, "entry 'model': holds no tensors"),
        ({"epoch": 3, "loss": 0.1}, r"found 'epoch' \(int\), 'loss' \(float\)"),
        ({"model": {"vit.a": 1}}, r"entry 'model': expected tensors by name.*'vit\.a' \(int\)"),
        ({3: torch.ones(2)}, r"found 3 \(Tensor\)"),
    ],
)
def test_files_without_a_state(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "x.pth")
    with pytest.raises(CheckpointError, match=message):
        read_state(tmp_path / "x.pth")


def test_damaged_files(paper: Path, tmp_path: Path) -> None:
    data = paper.read_bytes()
    path = tmp_path / "damaged.pth"
    for content in (
        b"",
        b"abc",
        data[:300],
        data[: len(data) // 2],
        data[:-30],
        b"\x80\x02.",
        b"PK\x03\x04" + b"x" * 99,
    ):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"damaged\.pth: damaged, or no PyTorch checkpoint"):
            read_state(path)
    with pytest.raises(CheckpointError, match="no such file"):
        read_state(tmp_path / "absent.pth")
    with pytest.raises(CheckpointError, match="is a folder"):
        read_state(tmp_path)
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="no safetensors file"):
        read_state(path)


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


def pictures(folder: Path, classes: int, each: int) -> None:
    """PNG and JPEG files of several sizes in class folders."""
    pixels = random_pixels(CONFIG, classes * each, seed=3)
    for index, image in enumerate(pixels):
        place = folder / f"class{index % classes}"
        place.mkdir(parents=True, exist_ok=True)
        size = (16, 16) if index % 3 else (40, 24)
        Image.fromarray(image).resize(size).save(place / f"{index:03}.{'png' if index % 2 else 'JPG'}")


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


def test_a_damaged_picture_is_named(paper: Path, tmp_path: Path) -> None:
    from bvit_hw.data.folder import load_folder
    from bvit_hw.data.record import default_preprocessing

    pictures(tmp_path / "pictures", classes=2, each=4)
    victim = sorted((tmp_path / "pictures").rglob("*.png"))[1]
    victim.write_bytes(victim.read_bytes()[:60])
    with pytest.raises(DatasetError, match=victim.name):
        list(load_folder(tmp_path / "pictures", default_preprocessing(CONFIG)))
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="no picture in it or below"):
        load_folder(tmp_path / "none", default_preprocessing(CONFIG))


def test_folders_are_resized_and_spread(tmp_path: Path) -> None:
    from bvit_hw.data.calibration import load_calibration
    from bvit_hw.data.folder import load_folder
    from bvit_hw.data.record import default_preprocessing

    for index in range(6):
        Image.new("RGB", (64, 48), (40 * index, 0, 255)).save(tmp_path / f"{index}.png")
    batches = list(load_folder(tmp_path, default_preprocessing(CONFIG), batch_size=4))
    assert [b.shape for b in batches] == [(4, 16, 16, 3), (2, 16, 16, 3)] and batches[0].dtype == np.uint8
    assert [int(image[0, 0, 0]) for image in np.concatenate(batches)] == [0, 40, 80, 120, 160, 200]
    few = np.concatenate(list(load_folder(tmp_path, default_preprocessing(CONFIG), limit=3)))
    assert [int(image[0, 0, 0]) for image in few] == [0, 80, 160]
    dealt = load_calibration(str(tmp_path), CONFIG, limit=2)
    assert dealt.images[:, 0, 0, 0].tolist() == [0, 80] and dealt.check_images[:, 0, 0, 0].tolist() == [40, 120, 200]


def test_a_train_and_val_tree_measures_on_val(tmp_path: Path) -> None:
    from bvit_hw.data.calibration import load_calibration

    pictures(tmp_path / "train", classes=5, each=2)
    pictures(tmp_path / "val", classes=5, each=1)
    found = load_calibration(str(tmp_path), CONFIG)
    assert len(found.images) == 10 and found.labels is not None and found.labels.tolist() == [0, 1, 2, 3, 4]
    assert found.separate


def test_calibration_changes_nothing_but_the_scales(model: BinaryViT) -> None:
    """BatchNorm statistics in particular; and it is refused where there are scales already."""
    copy = BinaryViT(model.config)
    copy.load_state_dict({k: v for k, v in model.state_dict().items() if ".impl." not in k}, strict=False)
    before = {k: v.clone() for k, v in copy.state_dict().items() if ".impl." not in k and k != "calibrated"}
    pixels = random_pixels(CONFIG, 40, seed=2)
    labels = np.arange(20) % 5
    report = calibrate(copy.train(), pixels[:20], pixels[20:], labels)
    assert all(torch.equal(copy.state_dict()[name], value) for name, value in before.items())
    assert not copy.training and copy.mode == "quant"
    assert report.float_accuracy is not None and report.quantized.same_label >= 0.5
    with pytest.raises(ConfigError, match="has its fixed-point scales already"):
        calibrate(copy, pixels[:20], pixels[20:])
    with pytest.raises(ConfigError, match="0 to calibrate with"):
        calibrate(BinaryViT(CONFIG), pixels[:0], pixels)


def test_agreement_by_hand() -> None:
    reference = np.array([[1.0, 0.0], [0.0, 2.0]])
    found = agreement(np.array([[2.0, 0.0], [3.0, 0.0]]), reference, np.array([0, 0]))
    assert (found.same_label, found.cosine, found.accuracy) == (0.5, 0.5, 1.0)
    assert "accuracy 100.00%, labels as float 50.00%" in found.text()


@pytest.fixture(scope="module")
def digits_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network's weights, by way of a checkpoint as the published code writes it; no scales."""
    from bvit_hw.models import save_checkpoint, shipped_checkpoint
    from bvit_hw.paper import load_paper_checkpoint

    shipped = load_checkpoint(shipped_checkpoint())
    config = shipped.config
    folder = tmp_path_factory.mktemp("digits")
    torch.save({"model": to_paper_state(shipped), "epoch": 99}, folder / "paper.pth")
    pixels = {"mean": config.mean, "std": config.std}
    model = load_paper_checkpoint(
        folder / "paper.pth", heads=config.heads, reduction=config.reductions, changes=pixels
    )  # fmt: skip
    assert model.config == config and not bool(model.calibrated)
    save_checkpoint(model, folder / "imported.safetensors", {"dataset": "digits"})
    return folder / "imported.safetensors"


def test_post_training_freeze_loses_less_than_half_a_point(digits_checkpoint: Path) -> None:
    """Trained weights, scales from 256 training images only: QAT and frozen models on all 360 test images."""
    from bvit_hw.calibration import load_ready

    model, report = load_ready(digits_checkpoint, "digits")
    assert report is not None and report.check_images == 360 and report.separate
    assert report.float_accuracy is not None and report.float_accuracy >= 0.98
    assert report.quantized.accuracy is not None and report.frozen.accuracy is not None
    assert report.quantized.accuracy >= report.float_accuracy - 0.01
    assert report.frozen.accuracy >= report.quantized.accuracy - 0.005
    assert report.frozen.same_label >= 0.98 and report.frozen.cosine >= 0.98
    assert model.mode == "quant"


def test_a_build_takes_a_checkpoint_without_scales(digits_checkpoint: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from bvit_hw.errors import FreezeError
    from bvit_hw.pipeline.artefacts import Artefacts
    from bvit_hw.pipeline.engine import StepContext
    from bvit_hw.pipeline.options import resolve
    from bvit_hw.pipeline.steps import checkpoint

    options = resolve(
        board="pynq-z2", preset_name=None, checkpoint=digits_checkpoint, data=None, clock_mhz=None, target_fps=None,
        simulated_images=1, jobs=1, calibrate="digits",
    )  # fmt: skip
    context = StepContext(folder=tmp_path, progress=lambda done, total: None, earlier={}, results={})
    with pytest.raises(FreezeError, match=r"not quantized yet \(mode 'float'\): give images.*--calibrate DIR"):
        checkpoint.run(context, Artefacts(replace(options, calibrate=None)))
    results = checkpoint.run(context, Artefacts(options))
    kept = tmp_path / "checkpoint.safetensors"
    assert load_checkpoint(kept).mode == "quant" and checkpoint_info(kept)["dataset"] == "digits"
    assert results["calibration"] == checkpoint_info(kept)["calibration"]
    assert results["qat_accuracy"] == results["calibration"]["quantized"]["accuracy"]
    with pytest.raises(ConfigError, match=r"has its fixed-point scales already; leave out --calibrate digits"):
        checkpoint.run(context, Artefacts(replace(options, checkpoint=kept)))


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
