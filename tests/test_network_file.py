"""A frozen network is taken wherever a checkpoint is, and carries what the checkpoint said of its data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest

from bvit_hw.contract.file import is_frozen, load_frozen, save_frozen
from bvit_hw.contract.header import model_hash
from bvit_hw.errors import BvitError, CheckpointError, ConfigError
from bvit_hw.models import checkpoint_config, checkpoint_info, shipped_checkpoint
from bvit_hw.network_file import network_config, network_info, network_name, network_record
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions, resolve
from bvit_hw.pipeline.steps import checkpoint as checkpoint_step
from bvit_hw.pipeline.steps import freeze as freeze_step
from bvit_hw.report.model import Report
from tests import command as commands


def bvit(*words: object) -> str:
    done = commands.bvit(*words, cwd=Path.cwd())
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(*words: object) -> str:
    done = commands.bvit(*words, cwd=Path.cwd())
    commands.refused(done)
    return done.stderr


@pytest.fixture(scope="module")
def frozen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frozen") / "ours.safetensors"
    bvit("freeze", "-o", path)
    return path


@pytest.fixture(scope="module")
def nameless(frozen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As versions of before wrote it: without a word on its data."""
    path = tmp_path_factory.mktemp("old") / "old.safetensors"
    save_frozen(load_frozen(frozen), path)
    return path


def options(path: Path, **more: object) -> BuildOptions:
    asked: dict[str, object] = {
        "board": "pynq-z2", "preset_name": None, "checkpoint": path, "data": None, "clock_mhz": None,
        "target_fps": None, "simulated_images": 2, "jobs": 1, **more,
    }  # fmt: skip
    return resolve(**asked)  # type: ignore[arg-type]


def test_a_frozen_network_says_what_its_checkpoint_said(frozen: Path, nameless: Path) -> None:
    shipped = shipped_checkpoint()
    assert is_frozen(frozen) and is_frozen(nameless) and not is_frozen(shipped)
    assert network_config(frozen) == network_config(nameless) == checkpoint_config(shipped)
    assert network_info(frozen) == checkpoint_info(shipped) and network_record(frozen).dataset == "digits"
    assert network_name(frozen) == network_name(shipped) == "tiny-digits" and network_name(nameless) == "old"
    assert network_info(nameless) == {} and network_record(nameless).dataset is None


def test_export_of_a_frozen_network_is_that_of_its_checkpoint(frozen: Path, tmp_path: Path) -> None:
    for out, given in (("a.onnx", ()), ("b.onnx", (frozen,))):
        bvit("export", *given, "-o", str(tmp_path / out))
    one, other = (onnx.load(str(tmp_path / name)) for name in ("a.onnx", "b.onnx"))
    assert one.graph.SerializeToString() == other.graph.SerializeToString()


def test_evaluation_of_a_frozen_network_is_that_of_its_checkpoint(frozen: Path, nameless: Path) -> None:
    found = json.loads(bvit("evaluate", frozen, "--json", "--limit", "60", "--quiet"))
    wanted = json.loads(bvit("evaluate", "--forms", "frozen,qonnx", "--json", "--limit", "60", "--quiet"))
    assert found["data"] == wanted["data"] == "digits"
    keys = ("form", "engine", "images", "top1", "top5")
    assert [[s[k] for k in keys] for s in found["scores"]] == [[s[k] for k in keys] for s in wanted["scores"]]
    assert [s["form"] for s in found["scores"]] == ["frozen", "qonnx"] and found["scores"][0]["top1"] > 0.9
    assert "its QAT model is in the checkpoint" in refused("evaluate", frozen, "--forms", "qat")
    assert "does not say what it was trained on" in refused("evaluate", nameless)


def first_steps(path: Path, folder: Path, **more: object) -> tuple[dict[str, object], dict[str, object], Path]:
    build = Artefacts(options(path, **more))
    folders = {name: folder / name for name in ("checkpoint", "freeze")}
    for made in folders.values():
        made.mkdir(parents=True)
    context = StepContext(folders["checkpoint"], lambda done, total: None, {}, {})
    checkpoint = dict(checkpoint_step.run(context, build))
    context = StepContext(folders["freeze"], lambda d, t: None, folders, {"checkpoint": checkpoint})
    return checkpoint, dict(freeze_step.run(context, build)), folders["freeze"] / "frozen.safetensors"


def test_a_build_takes_a_frozen_network(frozen: Path, nameless: Path, tmp_path: Path) -> None:
    """Its first steps give what they give for the checkpoint: the same integers, measured on the same images."""
    wanted = first_steps(shipped_checkpoint(), tmp_path / "a")
    found = first_steps(frozen, tmp_path / "b")
    assert found[1] == wanted[1] and found[1]["frozen_accuracy"] > 0.9  # type: ignore[operator]
    assert found[0] == wanted[0] | {"qat_accuracy": None}
    assert found[2].read_bytes() == wanted[2].read_bytes() == frozen.read_bytes()
    assert options(frozen).model_name == "tiny-digits"
    asked = options(nameless)
    assert asked.data is None and "does not say what it was trained on" in asked.not_measured
    told = first_steps(nameless, tmp_path / "c", data="digits")
    assert told[1] == wanted[1]


@pytest.mark.slow
def test_a_whole_build_of_a_frozen_network(frozen: Path, built: Path, tmp_path: Path) -> None:
    """The same cycles, resources and logits as the build of its checkpoint; the QAT model's accuracy as recorded."""
    bvit("build", "--board", "pynq-z2", "--checkpoint", frozen, "--out", tmp_path / "out")
    found, wanted = Report.read(tmp_path / "out/report.json"), Report.read(built / "report.json")
    assert (found.model, found.model_hash) == (wanted.model, wanted.model_hash)
    assert (found.cycles_per_frame, found.resources) == (wanted.cycles_per_frame, wanted.resources)
    assert found.accuracy.qat is None and found.accuracy.frozen == wanted.accuracy.frozen
    assert found.accuracy.rtl_equal_to_frozen is True and "as the checkpoint records" in found.accuracy.record
    for name in ("lower/hardware.onnx", "lower/graph.safetensors", "generate/graph.safetensors"):
        assert (tmp_path / "out" / name).read_bytes() == (built / name).read_bytes(), name


def test_what_needs_weights_refuses_integers(frozen: Path, tmp_path: Path) -> None:
    assert "is frozen already; build, evaluate and export take it" in refused("freeze", frozen, "-o", tmp_path / "x")
    for command in (("export", frozen, "-o", tmp_path / "x.onnx"), ("evaluate", frozen)):
        assert "leave out --calibrate digits" in refused(*command, "--calibrate", "digits")
    with pytest.raises(ConfigError, match="leave out --calibrate digits"):
        options(frozen, calibrate="digits")


def _cut(data: bytes) -> bytes:
    return data[:-40]


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(("spoil", "said"), [(_cut, "damaged"), (_flipped, "the file says")])
def test_a_damaged_frozen_network_is_refused(
    frozen: Path, tmp_path: Path, spoil: Callable[[bytes], bytes], said: str
) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(spoil(frozen.read_bytes()))
    with pytest.raises(BvitError, match=said):
        first_steps(path, tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("net.onnx", b"\x08\x09", "is an ONNX file"),
        ("net.pt", b"PK\x03\x04", "bvit-hw import"),
        ("old.pth", b"\x80\x02}", "bvit-hw import"),
        ("report.json", b"{}", "is text"),
        ("net.toml", 'summary = "größer"\n'.encode(), "is text, no safetensors file: a network's file is named by --n"),
        ("notes.txt", ("a" * 511 + "ß").encode(), "is text, no safetensors file"),
        ("images.npz", b"PK\x03\x04", "named by --data"),
        ("net.safetensors", b"\x00" * 64, "damaged or no safetensors file"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        options(tmp_path / name)


def test_a_record_that_is_none_is_refused(frozen: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_frozen(load_frozen(frozen), path, {"classes": ["a", "b"]})
    with pytest.raises(CheckpointError, match="names 2 different classes; the network has 10"):
        network_record(path)
    assert model_hash(load_frozen(path)) == model_hash(load_frozen(frozen))
