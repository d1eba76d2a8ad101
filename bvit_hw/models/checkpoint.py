"""Checkpoints of trained models: one safetensors file, the configuration in its metadata.

Activation exponents are stored as ``<quantizer>.exponent``, so that the file does not depend on names in Brevitas.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bvit_hw.contract.file import FROZEN_KEY
from bvit_hw.disk import write_aside
from bvit_hw.errors import CheckpointError, ConfigError, OutputError
from bvit_hw.models.binaryvit import BinaryViT
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.quant import FixedPointQuant
from bvit_hw.models.torch_file import bad_values

_KEY = "bvit_hw"
_FORMAT = 1
#: exponents of activations that make sense; calibration tries -16..4
_EXPONENTS = range(-40, 41)


def shipped_checkpoint(name: str = "tiny-digits") -> Path:
    """Path of a trained checkpoint that comes with the package; an unknown name raises :class:`CheckpointError`."""
    folder = Path(__file__).parent / "checkpoints"
    path = folder / f"{name}.safetensors"
    if not path.is_file():
        known = sorted(p.stem for p in folder.glob("*.safetensors"))
        raise CheckpointError(f"no checkpoint {name!r} ships with bvit-hw; allowed: {', '.join(known) or 'none'}")
    return path


def _quantizers(model: BinaryViT) -> dict[str, FixedPointQuant]:
    return {name: module for name, module in model.named_modules() if isinstance(module, FixedPointQuant)}


def _tensors(model: BinaryViT) -> dict[str, Tensor]:
    """The model's state with one exponent in place of each Brevitas quantizer's own tensors."""
    quantizers = _quantizers(model)
    inside = tuple(f"{name}." for name in quantizers)
    state = {name: t.detach().contiguous() for name, t in model.state_dict().items() if not name.startswith(inside)}
    return state | {f"{name}.exponent": torch.tensor(q.exponent, dtype=torch.int32) for name, q in quantizers.items()}


def save_checkpoint(model: BinaryViT, path: Path | str, info: Mapping[str, object] | None = None) -> None:
    """Write ``model`` (weights, statistics, exponents, mode, configuration) atomically; ``info`` is free JSON data."""
    path = Path(path)
    head = {"format": _FORMAT, "config": model.config.model_dump(mode="json"), "mode": model.mode, "info": info or {}}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = save(_tensors(model), metadata={_KEY: json.dumps(head, sort_keys=True)})
        write_aside(path, data, sync=True)
    except OSError as error:
        raise OutputError(f"checkpoint {path} cannot be written: {error}") from error


def _kind_of(path: Path) -> str:
    """What a file is that is no safetensors file, and what takes it; nothing where its first bytes do not tell."""
    try:
        with path.open("rb") as file:
            first = file.read(512)
    except OSError:
        return ""
    if path.suffix.lower() == ".onnx":
        return "is an ONNX file, which `bvit-hw export` writes and no command reads: name the network it was made of"
    if path.suffix.lower() == ".npz":
        return "is a NumPy archive: images are named by --data"
    if first[:4] == b"PK\x03\x04" or first[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04"):
        return "looks like a PyTorch file: `bvit-hw import` makes a checkpoint of one with the paper's names"
    if _is_text(first):
        network = ": a network's file is named by --network" if path.suffix.lower() == ".toml" else ""
        return f"is text, no safetensors file{network}"
    return ""


def _is_text(first: bytes) -> bool:
    """Whether a file's first bytes are text; a safetensors file begins with a length that has bytes of 0."""
    try:
        text = codecs.getincrementaldecoder("utf-8")().decode(first)  # a sign that is cut at the end is no error
    except UnicodeDecodeError:
        return False
    return bool(text) and all(sign.isprintable() or sign in "\n\r\t" for sign in text)


def refuse_folder(path: Path) -> None:
    """Raise :class:`CheckpointError`, which names the checkpoints in it, where ``path`` is a folder."""
    if path.is_dir():
        found = sorted(p.name for p in path.glob("*.safetensors"))
        hint = f"; it holds {', '.join(found[:5])}" if found else ""
        raise CheckpointError(f"checkpoint {path} is a folder; name a file in it{hint}")


def is_checkpoint(path: Path | str) -> bool:
    """Whether ``path`` is a file that says :func:`save_checkpoint` wrote it."""
    try:
        with safe_open(path, framework="pt") as file:
            return _KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def _read(path: Path) -> tuple[dict[str, object], dict[str, Tensor]]:
    refuse_folder(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except FileNotFoundError as error:
        raise CheckpointError(f"checkpoint {path} does not exist") from error
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            f"checkpoint {path} {_kind_of(path) or f'is damaged or no safetensors file: {error}'}"
        ) from error
    if FROZEN_KEY in metadata:
        raise CheckpointError(
            f"checkpoint {path} is a frozen model (`bvit-hw freeze` wrote it): integers only, without the weights that "
            "are wanted here; name the checkpoint that it was frozen from (build, evaluate and export take either)"
        )
    try:
        head = json.loads(metadata[_KEY])
    except (KeyError, json.JSONDecodeError) as error:
        raise CheckpointError(
            f"checkpoint {path} was not written by bvit-hw: no {_KEY!r} entry in its metadata"
        ) from error
    if not isinstance(head, dict) or head.get("format") != _FORMAT:
        found = head.get("format") if isinstance(head, dict) else None
        raise CheckpointError(f"checkpoint {path} has format {found}; this version reads {_FORMAT}")
    return head, tensors


def checkpoint_config(path: Path | str) -> BinaryViTConfig:
    """The configuration of a checkpoint's network, without its tensors; raises :class:`CheckpointError`."""
    stored = _read(Path(path))[0].get("config")
    try:
        return BinaryViTConfig.create(**(stored if isinstance(stored, dict) else {}))
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {path}: {error}") from error


def checkpoint_info(path: Path | str) -> dict[str, object]:
    """The free data that :func:`save_checkpoint` was given (training recipe, accuracy)."""
    info = _read(Path(path))[0].get("info")
    return dict(info) if isinstance(info, dict) else {}


def _least_values(config: BinaryViTConfig) -> int:
    """Weights and positions that a network of these sizes has at least."""
    stages = zip(config.depths, config.channels, config.mlp_widths, strict=True)
    blocks = sum(depth * (4 * channels**2 + 2 * channels * width) for depth, channels, width in stages)
    stem = config.channels[0] * (config.tokens(0) + config.in_channels * config.patch_size**2)
    return blocks + stem + config.classes * config.channels[-1]


def load_checkpoint(path: Path | str, config: BinaryViTConfig | None = None) -> BinaryViT:
    """The model of a file that :func:`save_checkpoint` wrote, in eval mode and in the mode it was saved in.

    With ``config`` the file must fit that network rather than the one it names. A missing, truncated or foreign file, a
    tensor that is missing, left over, not finite or of another size raises :class:`CheckpointError` naming it.
    """
    path = Path(path)
    head, tensors = _read(path)
    if config is None:
        config = checkpoint_config(path)
    held = sum(tensor.numel() for tensor in tensors.values())
    if _least_values(config) > held:
        # Before the network is built: a wrong size may ask for more memory than there is.
        raise CheckpointError(
            f"checkpoint {path}: its configuration is of a network of more than {_least_values(config):,} values; the "
            f"file holds {held:,}"
        )
    model = BinaryViT(config)
    expected = _tensors(model)
    for name, tensor in expected.items():
        if name not in tensors:
            raise CheckpointError(f"checkpoint {path}: tensor {name} is missing")
        if tensors[name].shape != tensor.shape:
            shapes = f"{tuple(tensors[name].shape)}; this network has {tuple(tensor.shape)}"
            raise CheckpointError(f"checkpoint {path}: {name} has shape {shapes}")
        if tensors[name].is_floating_point() != tensor.is_floating_point():
            kinds = f"{tensors[name].dtype}; this network has {tensor.dtype}"
            raise CheckpointError(f"checkpoint {path}: {name} is {kinds}")
        for line in bad_values({name: tensors[name]}):
            raise CheckpointError(f"checkpoint {path}: {line}")
    left = sorted(set(tensors) - set(expected))
    if left:
        raise CheckpointError(f"checkpoint {path}: tensor {left[0]} has no place in this network")
    exponents = {name: int(tensors.pop(f"{name}.exponent")) for name in _quantizers(model)}
    for name, exponent in exponents.items():
        if exponent not in _EXPONENTS:
            raise CheckpointError(
                f"checkpoint {path}: {name}.exponent is {exponent}; allowed: {_EXPONENTS[0]}..{_EXPONENTS[-1]}"
            )
    model.load_state_dict(tensors, strict=False)
    # After loading, which lets Brevitas set up its quantizers anew.
    for name, quantizer in _quantizers(model).items():
        quantizer.exponent = exponents[name]
    try:
        model.set_mode("quant" if head.get("mode") == "quant" else "float")
    except ConfigError as error:
        raise CheckpointError(f"checkpoint {path}: {error}") from error
    return model.eval()
