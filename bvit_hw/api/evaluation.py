"""Accuracy: a network as QAT model, frozen and in QONNX, on the same images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bvit_hw.api.networks import Network, as_network
from bvit_hw.api.words import Say, log_it, progress_of
from bvit_hw.errors import ConfigError

if TYPE_CHECKING:
    from bvit_hw.evaluate import Score


@dataclass(frozen=True)
class Evaluation:
    """What :func:`evaluate` measured on ``images`` images of ``data``: a score a form, in the order asked for.

    Each score has ``form`` ("qat", "frozen", "qonnx"), ``top1`` and ``top5`` (shares, 0..1), ``images``, ``seconds`` of
    execution alone, and ``engine``, which executed it. ``quantized`` is False for a network whose activations are not:
    then "qat" is its float model. ``notes`` are remarks on the data.
    """

    network: Network
    data: str
    images: int
    notes: tuple[str, ...]
    quantized: bool
    scores: tuple[Score, ...]

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw evaluate --json` prints."""
        rows = [{**vars(score), "images_per_second": score.images_per_second} for score in self.scores]
        return {"checkpoint": str(self.network.path), "data": self.data, "notes": list(self.notes), "scores": rows}


def evaluate(
    network: Network | str | Path,
    *,
    data: str | None = None,
    forms: Sequence[str] | None = None,
    calibrate: str | None = None,
    convert_colours: bool = False,
    limit: int | None = None,
    batch_size: int = 32,
    device: str = "cpu",
    threads: int | None = None,
    show_progress: bool = False,
    say: Say = log_it,
    brief: bool = False,
) -> Evaluation:
    """Top-1 and top-5 accuracy of ``network`` in all its ``forms`` ("qat", "frozen", "qonnx"), on the same images.

    ``data`` is a dataset, a folder with val/ or an .npz; by default what the network was trained on. ``limit`` takes so
    many images, of all classes. ``calibrate`` is that of :func:`bvit_hw.api.freeze`: without it a network that has no
    scales is evaluated as float model alone. ``device`` is PyTorch's. ``brief`` says neither what calibration showed
    nor how many threads there are. Raises ConfigError for unknown forms, for "qat"
    of a frozen network and for a device that is not here, DatasetError for data.
    """
    import torch

    from bvit_hw.calibration import load_ready
    from bvit_hw.contract import FrozenGraph
    from bvit_hw.data.labelled import image_batches, survey
    from bvit_hw.evaluate import FORMS
    from bvit_hw.evaluate import Network as Model
    from bvit_hw.evaluate import evaluate as measure
    from bvit_hw.models import load_checkpoint
    from bvit_hw.network_file import load_graph, network_config, network_record
    from bvit_hw.threads import choose_threads

    given = as_network(network)
    path, frozen = given.path, given.is_frozen
    wanted = list(FORMS[frozen:] if forms is None else forms)
    shown = ",".join(wanted)
    unknown = [form for form in wanted if form not in FORMS]
    if unknown or not wanted:
        raise ConfigError(f"--forms {shown}: {unknown or 'nothing'} given; allowed: {', '.join(FORMS)}")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {device}: cannot be used here: {str(error).splitlines()[0]}") from None
    if frozen and "qat" in wanted:
        raise ConfigError(
            f"--forms {shown}: {path} is frozen, its QAT model is in the checkpoint that it was frozen from; "
            f"allowed: {', '.join(FORMS[1:])}"
        )
    model: Model
    if frozen:
        model, _ = load_graph(path, calibrate)
    elif calibrate is not None:
        model, report = load_ready(path, calibrate)
        for line in [] if report is None or brief else report.lines():
            say(line)
    else:
        model = load_checkpoint(path)
    config, record = network_config(path), replace(network_record(path), converts=convert_colours)
    mode = "quant" if isinstance(model, FrozenGraph) else model.mode
    chosen = choose_threads(threads, config.image_size)
    if not brief and device == "cpu":
        say(chosen)
    source = data or record.dataset
    if source is None:
        raise ConfigError(f"{path}: does not say what it was trained on; --data names images to measure")
    if mode != "quant" and set(wanted) - {"qat"}:
        say(
            f"{path}: activations are not quantized (mode {mode!r}), so there is nothing to freeze: "
            "only the float model is evaluated. --calibrate DIR or DATASET chooses the scales"
        )
        wanted = ["qat"]
    total, notes = survey(source, config, record)
    for note in notes:
        say(note)
    total = min(total, limit) if limit else total
    progress = progress_of(show_progress)
    scores: list[Score] = []
    for form in wanted:
        with progress.step(f"{form}: {total} images of {source}") as update:
            scores += measure(
                model,
                lambda size: image_batches(source, config, size, limit, record),
                [form],
                batch_size=batch_size,
                device=device,
                advance=_counted(update, total),
            )
    return Evaluation(given, source, total, tuple(notes), mode == "quant", tuple(scores))


def _counted(update: Callable[[float, float], None], total: int) -> Callable[[str, int], None]:
    """What is told of every batch, adding up the images."""
    done = 0

    def advance(_: str, images: int) -> None:
        nonlocal done
        done += images
        update(done, total)

    return advance
