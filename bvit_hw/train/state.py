"""Training states on disk: one safetensors file (no pickles), written beside, synced, renamed; the last one is kept."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from bvit_hw.disk import write_aside
from bvit_hw.errors import CheckpointError, OutputError

log = logging.getLogger(__name__)

STATE_FILE = "train_state.safetensors"
_KEY = "bvit_hw_training"
_FORMAT = 1


def previous(path: Path) -> Path:
    """Where the state before the one in ``path`` is kept."""
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def write_state(path: Path, tensors: Mapping[str, Tensor], head: Mapping[str, Any]) -> None:
    """Write tensors and JSON data to ``path``; whenever the process dies, a whole state is there (this or the last).

    Raises :class:`OutputError` where the file cannot be written.
    """
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    document = {"format": _FORMAT, "sha256": _digest(held), "head": dict(head)}
    try:
        data = save(held, metadata={_KEY: json.dumps(document)})
        write_aside(path, data, sync=True, sole=True, keep=previous(path))
    except OSError as error:
        raise OutputError(f"training state {path} cannot be written: {error}") from error


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        document = json.loads(metadata[_KEY])
        form, digest, head = document["format"], document["sha256"], document["head"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"training state {path} is damaged ({error})") from error
    if form != _FORMAT:
        raise CheckpointError(f"training state {path} has format {form}; this version reads {_FORMAT}")
    if _digest(tensors) != digest:
        raise CheckpointError(f"training state {path} is damaged (its contents do not have the digest they should)")
    return tensors, head


def read_state(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
    """Tensors and JSON data of the newest whole state at ``path``, with a warning where that is the one before.

    None where there is none at all. Raises :class:`CheckpointError` where there are only damaged ones.
    """
    failures = []
    for candidate in (path, previous(path)):
        if not candidate.exists():
            continue
        try:
            found = _read(candidate)
        except CheckpointError as error:
            failures.append(str(error))
            continue
        if failures:
            log.warning("%s; going on from the state before it, %s", failures[0], candidate)
        return found
    if failures:
        raise CheckpointError(f"{'; '.join(failures)}; --overwrite starts afresh")
    return None


def remove_states(path: Path) -> None:
    """Delete the states of an earlier run."""
    for old in (path, previous(path)):
        old.unlink(missing_ok=True)
