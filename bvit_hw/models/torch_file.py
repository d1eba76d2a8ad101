"""Tensors out of PyTorch or safetensors files that others wrote: never any code, and every misfit told by name."""

from __future__ import annotations

import argparse
import collections
import pathlib
import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from bvit_hw.errors import CheckpointError

#: what DistributedDataParallel, and averaging of weights, put before every name
_PREFIX = "module."
#: beside those of averaged weights: how many they are the mean of
_AVERAGED = "n_averaged"
#: parts of names, wherever one module is wrapped: torch.compile, activation checkpointing, FSDP
_INSIDE = frozenset({"_orig_mod", "_checkpoint_wrapped_module", "_fsdp_wrapped_module"})
#: what a weight may be stored as
_REALS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
#: how NumPy restores its scalars and arrays; old files call the module numpy.core
_NUMPY = {"scalar": np.float64(0).__reduce__()[0], "_reconstruct": np.zeros(1).__reduce__()[0]}
#: data without behaviour that training scripts store beside the weights: parsed arguments, paths, NumPy numbers
_HARMLESS: tuple[Any, ...] = (
    argparse.Namespace,
    collections.Counter,
    dict,
    list,
    set,
    pathlib.PosixPath,
    pathlib.PurePosixPath,
    np.dtype,
    np.ndarray,
    *_NUMPY.values(),
    *((function, f"numpy.core.multiarray.{name}") for name, function in _NUMPY.items()),
    *{type(np.dtype(kind)) for kind in "?bBhHiIlLqQefdSU"},
)


#: how a zip archive begins, and so what torch.save writes since PyTorch 1.6
_ZIP = b"PK\x03\x04"
#: the mark of a folder among a member's attributes
_FOLDER = 0x10


def _check_sums(path: Path) -> None:
    """Compare the members of PyTorch's archive with their CRC-32, which PyTorch does not; older files have no sums.

    A file written with ``torch.serialization.set_crc32_options(False)`` holds zeros in their place: nothing to compare.
    """
    with path.open("rb") as file:
        if file.read(len(_ZIP)) != _ZIP:
            return
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            for member in members:
                if member.external_attr & _FOLDER and not member.is_dir():  # of which PyTorch would read nothing
                    raise zipfile.BadZipFile(f"{member.filename!r} is marked a folder")
            if any(member.CRC for member in members):
                for member in members:
                    with archive.open(member) as stream:
                        while stream.read(1 << 20):
                            pass


def _unpickle(path: Path) -> object:
    try:
        _check_sums(path)
        with torch.serialization.safe_globals(list(_HARMLESS)):
            return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise CheckpointError(f"{path}: is a folder; name the checkpoint file in it") from error
    except (zipfile.BadZipFile, zlib.error, struct.error) as error:
        raise CheckpointError(f"{path}: damaged, or no PyTorch checkpoint: {_first_line(str(error))}") from error
    except pickle.UnpicklingError as error:
        # PyTorch's message names the class and then advises to allow it, which is not for us to repeat.
        found = re.search(r"\bGLOBAL\s+([\w.]+)|but got <class '([\w.]+)'>", str(error))
        if found:
            culprit = found.group(1) or found.group(2)
            raise CheckpointError(
                f"{path}: refers to {culprit}, which only running code from the file could restore; "
                "only tensors, numbers, texts, containers of these and argparse.Namespace are read. "
                "Save the weights alone: torch.save({'model': model.state_dict()}, ...)"
            ) from error
        reason = str(error).rpartition("WeightsUnpickler error:")[2].strip()
        raise CheckpointError(f"{path}: damaged, or no PyTorch checkpoint: {_first_line(reason)}") from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        reason = _first_line(str(error) or type(error).__name__)
        raise CheckpointError(f"{path}: damaged, or no PyTorch checkpoint: {reason}") from error


def _first_line(text: str) -> str:
    """The first sentence of a library's message: what follows is advice that does not fit here."""
    return text.partition("\n")[0].partition(". ")[0]


def _without_wrappers(state: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The state by the names it had before modules, or the whole model, were wrapped."""
    found: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    for name, tensor in state.items():
        plain = ".".join(part for part in name.split(".") if part not in _INSIDE)
        if plain in found:
            raise CheckpointError(f"{path}: {origin[plain]} and {name} are both {plain}, once without their wrappers")
        found[plain], origin[plain] = tensor, name
    while True:
        rest = [name for name in found if name != _AVERAGED]
        if not rest or not all(name.startswith(_PREFIX) for name in rest):
            return found
        found = {name.removeprefix(_PREFIX): found[name] for name in rest}


def read_state(path: Path | str) -> dict[str, Tensor]:
    """Every tensor of a checkpoint by its name, on the CPU.

    ``path`` is a safetensors file or what ``torch.save`` wrote: the state itself, or a dictionary with it as its entry
    ``model`` (other entries, an optimizer's for instance, are ignored). What wrappers add to names goes: those of
    torch.compile, FSDP and activation checkpointing at any depth, those of DistributedDataParallel and AveragedModel
    before all names. A file that is missing, damaged, no checkpoint, or that would need code to be run raises
    :class:`CheckpointError`.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        try:
            return _without_wrappers(load_file(path), path)
        except FileNotFoundError as error:
            raise CheckpointError(f"{path}: no such file") from error
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path}: damaged, or no safetensors file: {error}") from error
    content = _unpickle(path)
    where = str(path)
    if isinstance(content, Mapping) and isinstance(content.get("model"), Mapping):
        content, where = content["model"], f"{path}, entry 'model'"
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{where}: holds a {type(content).__name__}; expected a dictionary of tensors")
    wrong = [f"{name!r} ({type(value).__name__})" for name, value in content.items()
             if not (isinstance(name, str) and isinstance(value, Tensor))]  # fmt: skip
    if wrong:
        raise CheckpointError(
            f"{where}: expected tensors by name, or a dictionary with them as its entry 'model'; "
            f"found {', '.join(wrong[:5])}{' and more' if len(wrong) > 5 else ''}"
        )
    if not content:
        raise CheckpointError(f"{where}: holds no tensors")
    return _without_wrappers(content, path)


def misfits(given: Mapping[str, tuple[int, ...]], expected: Mapping[str, tuple[int, ...]]) -> list[str]:
    """A line for each tensor that is missing, has another shape, or has no place, in this order; empty if all fit.

    BatchNorm's counters may be missing: old files have none, and they mean nothing once statistics are there.
    """
    missing = [f"missing: {name} {shape}" for name, shape in expected.items()
               if name not in given and not name.endswith("num_batches_tracked")]  # fmt: skip
    reshaped = [f"wrong shape: {name} {given[name]}, expected {shape}" for name, shape in expected.items()
                if name in given and given[name] != shape]  # fmt: skip
    unexpected = [f"unexpected: {name} {given[name]}" for name in sorted(set(given) - set(expected))]
    return missing + reshaped + unexpected


def unread(tensor: Tensor) -> str:
    """What a tensor is that cannot be taken: not dense, or of another kind of numbers; nothing where it can."""
    if tensor.layout != torch.strided or tensor.is_nested or tensor.is_quantized:
        return f"{tensor.dtype}, {tensor.layout}{', quantized' * tensor.is_quantized}, expected a dense tensor"
    if tensor.device.type != "cpu":
        return f"a tensor without values (device {tensor.device})"
    if (tensor.is_floating_point() or tensor.is_complex()) and tensor.dtype not in _REALS:
        return f"{tensor.dtype}, expected numbers of {', '.join(str(kind).removeprefix('torch.') for kind in _REALS)}"
    return ""


def bad_values(state: Mapping[str, Tensor]) -> list[str]:
    """A line for each tensor that cannot be taken, holds an infinity, no number, or a variance below 0.

    What is infinite as float32, which networks are of, counts as infinite.
    """
    found = []
    for name, tensor in state.items():
        if why := unread(tensor):
            found.append(f"wrong type: {name} is {why}")
        elif tensor.is_floating_point() and not bool(torch.isfinite(tensor.float()).all()):
            found.append(f"not finite: {name}")
        elif name.endswith("running_var") and bool((tensor < 0).any()):
            found.append(f"negative variances: {name}, {tensor.min().item():g} the least")
    return found
