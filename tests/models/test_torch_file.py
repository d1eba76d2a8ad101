"""What is read of PyTorch's files, and that no code in them is run."""

from __future__ import annotations

import collections
import fractions
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from bvit_hw.errors import CheckpointError
from bvit_hw.models import BinaryViT
from bvit_hw.models.torch_file import read_state
from bvit_hw.paper import to_paper_state


class Runs:
    """Unpickled by ordinary means, this would make a folder."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)


def test_names_that_meet_without_their_wrappers_are_refused(model: BinaryViT, tmp_path: Path) -> None:
    state = to_paper_state(model)
    torch.save(state | {"_orig_mod.classifier.bias": torch.zeros(5)}, tmp_path / "paper.pth")
    with pytest.raises(CheckpointError, match=r"classifier\.bias and _orig_mod\.classifier\.bias are both"):
        read_state(tmp_path / "paper.pth")


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


def test_no_bit_of_an_archive_changes_a_value_unseen(tmp_path: Path) -> None:
    path = tmp_path / "paper.pth"
    torch.save({"model": {"a": torch.arange(40.0), "b": torch.ones(3)}, "epoch": 3}, path)
    whole, wanted = path.read_bytes(), {k: v.clone() for k, v in read_state(path).items()}
    attributes = [n + 38 for n in range(len(whole)) if whole[n : n + 4] == b"PK\x01\x02"]
    refusals = []
    # One bit of each byte, and of each member the bit that makes it a folder, of which PyTorch reads nothing.
    for place, bit in [*((n, n % 8) for n in range(len(whole))), *((n, 4) for n in attributes)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << bit
        path.write_bytes(damaged)
        try:
            found = read_state(path)
        except CheckpointError as error:
            assert str(error).startswith(f"{path}: "), error
            refusals.append(str(error))
        else:
            assert found.keys() == wanted.keys() and all(torch.equal(found[k], wanted[k]) for k in wanted), place
    assert sum("Bad CRC-32 for file" in text for text in refusals) > 40 * 4
    assert sum("is marked a folder" in text for text in refusals) >= len(attributes)


def test_an_archive_written_without_sums_is_read(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save({"a": torch.arange(4.0)}, tmp_path / "paper.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert read_state(tmp_path / "paper.pth")["a"].tolist() == [0, 1, 2, 3]
