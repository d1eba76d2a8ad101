"""The teacher: a local file, checked strictly, or the hub when asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.models.teacher import TEACHER, load_teacher, teacher_network


@pytest.fixture(scope="module")
def network() -> nn.Module:
    torch.manual_seed(0)
    return teacher_network(classes=5, image_size=32).eval()


def _write(path: Path, state: dict[str, torch.Tensor]) -> Path:
    if path.suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save({"model": state, "epoch": 299} if path.stem == "outer" else state, path)
    return path


@pytest.mark.parametrize("name", ["outer.pth", "bare.pth", "plain.safetensors"])
def test_local_files_give_the_network_they_came_from(network: nn.Module, name: str, tmp_path: Path) -> None:
    teacher = load_teacher(_write(tmp_path / name, network.state_dict()), classes=5, image_size=32)
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(teacher(images), network(images))
    assert not teacher.training and not any(p.requires_grad for p in teacher.parameters())


def test_every_misfit_is_named(network: nn.Module, tmp_path: Path) -> None:
    state = dict(network.state_dict())
    del state["blocks.3.attn.qkv.bias"], state["norm.weight"]
    state["head.weight"] = torch.zeros(7, 384)
    state["extra.weight"] = torch.zeros(2)
    with pytest.raises(CheckpointError) as error:
        load_teacher(_write(tmp_path / "outer.pth", state), classes=5, image_size=32)
    text = str(error.value)
    for part in (
        "missing: blocks.3.attn.qkv.bias (1152,)", "missing: norm.weight", "wrong shape: head.weight (7, 384), "
        "expected (5, 384)", "unexpected: extra.weight (2,)", str(tmp_path / "outer.pth"), TEACHER,
    ):  # fmt: skip
        assert part in text


def test_values_that_are_no_numbers_are_refused(network: nn.Module, tmp_path: Path) -> None:
    state = dict(network.state_dict())
    state["norm.bias"] = torch.full((384,), float("nan"))
    with pytest.raises(CheckpointError, match=r"not finite: norm\.bias"):
        load_teacher(_write(tmp_path / "bare.pth", state), classes=5, image_size=32)


def test_one_source_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither of a weights file.*nothing is fetched unless asked for"):
        load_teacher()
    with pytest.raises(ConfigError, match="both of a weights file"):
        load_teacher(tmp_path / "x.pth", download=True)
    with pytest.raises(ConfigError, match="multiple of its patch size, 16"):
        teacher_network(image_size=30)
    with pytest.raises(CheckpointError, match="no such file"):
        load_teacher(tmp_path / "absent.pth")


def test_without_a_network_the_download_says_what_else_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm

    def unreachable(*args: object, **kwargs: object) -> None:
        assert kwargs["pretrained"] is True
        raise OSError("We couldn't connect to the hub")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(CheckpointError, match=r"cannot be downloaded: We couldn't connect.*local weights file"):
        load_teacher(download=True)
