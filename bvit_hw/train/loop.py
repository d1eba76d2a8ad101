"""A whole run: resuming, steps, saving, journal, reports; on one process or many, to be stopped at any step."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.utils.deterministic

from bvit_hw.data import ImageData, open_data
from bvit_hw.data.record import DataRecord, default_preprocessing, lasting
from bvit_hw.disk import no_folder
from bvit_hw.errors import OutputError
from bvit_hw.models import save_checkpoint
from bvit_hw.threads import choose_threads
from bvit_hw.train.distill import open_teacher
from bvit_hw.train.distributed import processes
from bvit_hw.train.journal import Journal
from bvit_hw.train.memory import keep_freed_memory
from bvit_hw.train.recipe import Recipe
from bvit_hw.train.state import STATE_FILE, read_state, remove_states, write_state
from bvit_hw.train.stopping import StopWish, stop_on_signals
from bvit_hw.train.trainer import Accuracy, EpochReport, Trainer, TrainingError

log = logging.getLogger(__name__)

MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class StepReport:
    """One optimizer step: its place (all from 1), loss over all processes, images a second since the last report."""

    epoch: int
    step: int
    steps: int
    loss: float
    mode: str
    images_per_second: float


@dataclass(frozen=True)
class TrainResult:
    """A finished run: checkpoint, test accuracy (fraction) of the QAT model, size of the test split."""

    checkpoint: Path
    accuracy: float
    test_images: int
    top5: float = 0.0


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How a recipe is run; nothing here changes its result."""

    device: str = "auto"
    #: processes of each training process that read pictures
    workers: int = 0
    #: a state is saved at the end of each epoch, and within it after this many steps (0: never) or minutes
    save_steps: int = 0
    save_minutes: float = 10.0
    #: epochs between measurements on the test split; 0: at the end only
    evaluate_every: int = 0
    tensorboard: bool = True
    download: bool = False
    #: record a step once and replay it, on a single GPU with small pictures: the host's part of a step goes away
    cuda_graphs: bool = True
    #: what people call the network; the checkpoint says so
    network: str | None = None


@contextmanager
def _reproducible(threads: int | None, device: torch.device) -> Iterator[None]:
    """Deterministic algorithms (CPU), a fixed number of threads (sums depend on it); what was set before comes back.

    On a GPU float32 products go through TF32: signs are exact in it, and a norm divides out what it rounds off a row's
    scale. NVIDIA_TF32_OVERRIDE=0 in the environment forbids it.
    """
    filling = torch.utils.deterministic.fill_uninitialized_memory
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    products = torch.get_float32_matmul_precision()
    if device.type == "cuda":
        torch.set_float32_matmul_precision("high")
    log.info("%s", choose_threads(threads))
    torch.use_deterministic_algorithms(device.type == "cpu")
    # Nothing here reads memory before writing it, and filling each new tensor costs a tenth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.set_float32_matmul_precision(products)
        torch.utils.deterministic.fill_uninitialized_memory = filling


def _check_fits(trainer: Trainer, head: dict[str, Any], path: Path) -> None:
    """The state must be of this run: same recipe, same data, same global batch."""
    differences = trainer.recipe.differences(head["recipe"])
    for name, mine in (("train_images", trainer.train_images), ("step_images", trainer.step_images)):
        if head[name] != mine:
            differences.append(f"{name}: {head[name]} -> {mine}")
    if differences:
        raise OutputError(
            f"{path} belongs to another recipe ({'; '.join(differences)}); give another --out, or --overwrite to start "
            "afresh"
        )
    facts = {
        "processes": trainer.place.world,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "steps": trainer.steps_taken.name,
    }
    moved = [f"{name} {head.get(name)} -> {mine}" for name, mine in facts.items() if head.get(name) != mine]
    if moved:
        log.warning("going on with %s: the run stays correct, but not the same to the last bit", ", ".join(moved))


def _resume(trainer: Trainer, path: Path) -> None:
    """Load the newest state into every process; process 0 reads, the others are told."""
    place = trainer.place
    found = read_state(path) if place.main else None
    if found is not None:
        tensors, head = found
        try:
            _check_fits(trainer, head, path)
            trainer.load_state(tensors, head)
        except (RuntimeError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise OutputError(f"{path} does not fit this version: {error}; --overwrite starts afresh") from error
    if place.world > 1:
        _share_state(trainer, found is not None)
    if found is not None:
        log.info("resuming %s after step %d of epoch %d", path, trainer.step, trainer.epoch + 1)


def _share_state(trainer: Trainer, resumed: bool) -> None:
    place = trainer.place
    if not int(place.give_text(str(int(resumed)))):
        return
    tensors, head = trainer.state() if place.main else ({}, {})
    shapes = {name: (str(t.dtype).removeprefix("torch."), list(t.shape)) for name, t in tensors.items()}
    head, shapes = json.loads(place.give_text(json.dumps([head, shapes])))
    for name, (kind, shape) in shapes.items():
        # Optimizer steps and generators live on the CPU, where NCCL cannot reach them.
        held = (
            tensors[name].to(place.device)
            if place.main
            else torch.empty(shape, dtype=getattr(torch, kind), device=place.device)
        )
        place.give([held])
        if not place.main:
            tensors[name] = held.cpu()
    if not place.main:
        trainer.load_state(tensors, head)


@contextmanager
def _readers_watched(out: Path) -> Iterator[None]:
    """A reader that was killed is told in a sentence; PyTorch raises it wherever the training process happens to be."""
    try:
        yield
    except (RuntimeError, ConnectionResetError) as error:
        # The latter where it died while a batch of it was fetched.
        if isinstance(error, RuntimeError) and not str(error).startswith("DataLoader worker"):
            raise
        raise TrainingError(
            f"a process that reads pictures was ended from outside, for want of memory perhaps: "
            f"{str(error).splitlines()[0]}. The same command goes on from the last state in {out}; "
            "--workers gives another number of such processes (0: none)"
        ) from error


def _prepare(out: Path, overwrite: bool) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        state_path = out / STATE_FILE
        if overwrite:
            remove_states(state_path)
    except OSError as error:
        raise OutputError(f"output folder {out} cannot be used: {no_folder(error)}; choose another --out") from error
    return state_path


def train(
    recipe: Recipe,
    out: Path,
    *,
    overwrite: bool = False,
    options: RunOptions | None = None,
    data: ImageData | None = None,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
    on_step: Callable[[StepReport], None] = lambda report: None,
) -> TrainResult:
    """Run ``recipe`` to its end in the folder ``out`` and write its checkpoint there; alone, or as torchrun started it.

    A state of the same recipe in ``out`` is resumed, exactly; another recipe's, or a checkpoint without a state, raises
    :class:`OutputError` unless ``overwrite``. ``on_epoch`` hears of every epoch after its state has been written, in
    process 0 only, as ``on_step`` does of steps. Ctrl-C, SIGTERM and SIGHUP save the state and raise KeyboardInterrupt.
    """
    options = options or RunOptions()
    with processes(options.device) as place, stop_on_signals() as wish:
        state_path = out / STATE_FILE
        if place.device.type == "cpu":
            keep_freed_memory()
        if place.main:
            _prepare(out, overwrite)
            if (out / MODEL_FILE).exists() and not overwrite and read_state(state_path) is None:
                raise OutputError(
                    f"{out / MODEL_FILE} is another run's; give another --out, or --overwrite to replace it"
                )
        data = data or open_data(recipe.dataset, download=options.download)
        teacher = None
        if recipe.teacher is not None:
            teacher = open_teacher(recipe.teacher, recipe.model, download=options.download)
        with _reproducible(recipe.threads, place.device):
            trainer = Trainer(recipe, data, place, workers=options.workers, teacher=teacher, graphs=options.cuda_graphs)
            _resume(trainer, state_path)
            book = Journal(out, trainer.steps_done, tensorboard=options.tensorboard) if place.main else None
            with book or nullcontext(), _readers_watched(out):
                result = _Run(trainer, state_path, options, wish, book, on_epoch, on_step).finish()
        if place.main:
            how = default_preprocessing(recipe.model)
            record = DataRecord(how, lasting(recipe.dataset), data.class_names, result.top1, result.images)
            called = {} if options.network is None else {"network": options.network}
            info = {**called, "recipe": recipe.model_dump(mode="json"), **record.as_info()}
            save_checkpoint(trainer.model, out / MODEL_FILE, info)
    return TrainResult(out / MODEL_FILE, result.top1, result.images, result.top5)


class _Run:
    """The steps of a run with everything around them: saving, journal, reports."""

    def __init__(
        self,
        trainer: Trainer,
        path: Path,
        options: RunOptions,
        wish: StopWish,
        journal: Journal | None,
        on_epoch: Callable[[EpochReport], None],
        on_step: Callable[[StepReport], None],
    ) -> None:
        self.trainer, self.path, self.options, self.wish = trainer, path, options, wish
        self.journal, self.on_epoch, self.on_step = journal, on_epoch, on_step
        self.saved_at = self.reported_at = time.monotonic()

    def finish(self) -> Accuracy:
        """Train to the end; the accuracy of the finished model."""
        trainer, recipe = self.trainer, self.trainer.recipe
        measured: Accuracy | None = None
        while trainer.epoch < recipe.epochs:
            while trainer.step < trainer.steps:
                if self._step():
                    self._save()
                    raise KeyboardInterrupt
            self._save()
            every = self.options.evaluate_every
            last = trainer.epoch + 1 == recipe.epochs
            due = last or (every > 0 and (trainer.epoch + 1) % every == 0)
            measured = trainer.test_accuracy(self.wish) if due else None
            self._end_epoch(measured)
        assert measured is not None
        return measured

    def _step(self) -> bool:
        trainer, journal = self.trainer, self.journal
        rate = trainer.scheduler.get_last_lr()[0]
        loss, norm, stop = trainer.run_step(self.wish)
        if journal is not None:
            now = time.monotonic()
            speed = trainer.step_images / max(1e-9, now - self.reported_at)
            self.reported_at = now
            journal.add(trainer.steps_done, epoch=trainer.epoch + 1, loss=loss, gradient_norm=norm, learning_rate=rate)
            self.on_step(StepReport(trainer.epoch + 1, trainer.step, trainer.steps, loss, trainer.model.mode, speed))
            due = self.options.save_steps and trainer.step % self.options.save_steps == 0
            if trainer.step < trainer.steps and (due or now - self.saved_at > 60 * self.options.save_minutes):
                self._save()
        return stop

    def _save(self) -> None:
        if self.journal is None:
            return
        self.journal.flush(sync=True)
        write_state(self.path, *self.trainer.state())
        self.saved_at = time.monotonic()

    def _end_epoch(self, measured: Accuracy | None) -> None:
        trainer = self.trainer
        if self.journal is not None and measured is not None:
            self.journal.add(trainer.steps_done, epoch=trainer.epoch + 1, top1=measured.top1, top5=measured.top5)
            self.journal.flush()
        report = trainer.end_epoch(measured)
        if self.journal is not None:
            self.on_epoch(report)
