"""One run's model, optimizer, schedule and batches: steps, evaluation, and all that the rest of the run depends on."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from bvit_hw.data import ImageData
from bvit_hw.data.loading import Share
from bvit_hw.errors import BvitError
from bvit_hw.models import BinaryViT
from bvit_hw.train.batches import Batch, open_batches
from bvit_hw.train.device_batches import DeviceBatches
from bvit_hw.train.distill import Teacher, loss_of
from bvit_hw.train.distributed import Processes
from bvit_hw.train.graphed_step import GraphedStep
from bvit_hw.train.recipe import Recipe
from bvit_hw.train.step_kinds import compiles, steps_of
from bvit_hw.train.stopping import StopWish
from bvit_hw.train.sync_norm import synchronize_norms
from bvit_hw.train.watch import first_not_finite

log = logging.getLogger(__name__)


class TrainingError(BvitError):
    """Training cannot go on; names the epoch and what was seen."""


@dataclass(frozen=True)
class Accuracy:
    """Fractions of a split classified rightly: by the first guess, among the first five (1.0 up to five classes)."""

    top1: float
    top5: float
    images: int


@dataclass(frozen=True)
class EpochReport:
    """What one epoch did: its number (from 1), mean training loss, mode, accuracy where it was measured."""

    epoch: int
    loss: float
    mode: str
    accuracy: Accuracy | None = None


@torch.no_grad()
def accuracy(model: BinaryViT, images: Tensor, labels: Tensor, batch_size: int = 256) -> float:
    """Fraction of normalized images N x C x H x W that the model, in eval mode, classifies as ``labels``."""
    training = model.training
    model.eval()
    hits = sum(
        int((model(x).argmax(dim=1) == y).sum())
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True)
    )
    model.train(training)
    return hits / len(labels)


class Trainer:
    """One run of a recipe; everything that its future depends on is in :meth:`state`.

    ``epoch`` counts finished epochs, ``step`` finished steps of the epoch under way; an epoch whose steps are all done
    is finished by :meth:`end_epoch`.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: ImageData,
        place: Processes | None = None,
        *,
        workers: int = 0,
        teacher: Teacher | None = None,
        graphs: bool = True,
    ) -> None:
        self.recipe = recipe
        self.place = place or Processes(0, 1, torch.device("cpu"))
        share = Share(recipe.batch_size, recipe.accumulate, self.place.rank, self.place.world)
        self.step_images = share.step
        self.train_images = len(data.train)
        self.batches = open_batches(recipe, data, share, self.place.device, workers)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.model = BinaryViT(recipe.model).train().to(self.place.device)
        if self.place.world > 1:
            synchronize_norms(self.model)
        if teacher is not None:
            # Convolutions on GPUs want their channels last; nothing else minds.
            teacher = teacher.to(self.place.device, memory_format=torch.channels_last)
        self.loss = loss_of(recipe, teacher)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        rate = recipe.peak_rate(share.step)
        self.optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=recipe.weight_decay, fused=True)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, T_max=recipe.epochs * self.batches.steps
        )
        self.epoch = 0
        self.step = 0
        self.losses: list[float] = []
        self._stream: Iterator[Batch] | None = None
        self._network: torch.nn.Module | None = None
        self.steps_taken = steps_of(recipe, self.place.device)
        alone_on_gpu = self.place.device.type == "cuda" and self.place.world == 1
        self.graphs = GraphedStep() if graphs and alone_on_gpu and isinstance(self.batches, DeviceBatches) else None

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.batches.steps

    @property
    def steps_done(self) -> int:
        """Steps of the whole run so far."""
        return self.epoch * self.steps + self.step

    def network(self) -> torch.nn.Module:
        """The model as it is trained: compiled and distributed where asked for. Built once, after a state is loaded."""
        if self._network is None:
            if compiles(self.recipe, self.place.device):
                for block in (*self.model.blocks, *self.model.merges):
                    # Stages differ in shape; kernels for any shape would be slower than a few for each.
                    block.compile(dynamic=False)
            self._network = self.model
            if self.place.world > 1:
                device = self.place.device
                self._network = DistributedDataParallel(
                    self.model,
                    device_ids=[device.index] if device.type == "cuda" else None,
                    broadcast_buffers=False,  # equal in all processes already: statistics are synchronized
                    gradient_as_bucket_view=True,
                    # On CPU for its side effect: buckets are never rebuilt after the first step, so that a resumed run
                    # adds gradients in the order of one that was not stopped.
                    find_unused_parameters=device.type == "cpu",
                )
        return self._network

    def _autocast(self) -> Any:
        if self.recipe.precision == "32":
            return nullcontext()
        return torch.autocast(self.place.device.type, dtype=torch.bfloat16)

    def _loss(self, images: Tensor, labels: Tensor, network: torch.nn.Module) -> Tensor:
        with self._autocast():
            return self.loss(network(images), images, labels)

    def run_step(self, wish: StopWish | None = None) -> tuple[float, float, bool]:
        """One optimizer step: loss over all processes, gradient norm, and whether any process wishes to stop.

        A loss or gradient that is not finite raises :class:`TrainingError` naming the first quantity that is not, and
        leaves the weights as they were.
        """
        if self._stream is None:
            if self.step == 0 and self.epoch == self.recipe.epochs - self.recipe.quant_epochs:
                with torch.compiler.set_stance("force_eager"):
                    self.model.calibrate(self.batches.calibration())
                self.place.give(self.model.state_dict().values())
            self._stream = self.batches.epoch(self.epoch, self.step)
        seen = [next(self._stream) for _ in range(self.recipe.accumulate)]
        wished = wish is not None and wish.wished
        if self.graphs is not None and self.graphs.fits(self, seen):
            told = self.graphs.step(self, *seen[0])
            told[1] = float(wished)
        else:
            told = self.passes(seen, wished=wished)
        # Read when everything has been given to the device: a GPU would otherwise stand still until it is asked on.
        total, wishes, norm = told.tolist()
        mean_loss = total / self.place.world
        for name, value in (("loss", mean_loss), ("gradient norm", norm)):
            if not abs(value) < float("inf"):
                self._fail(name, value, seen)
        self.scheduler.step()
        self.step += 1
        self.losses.append(mean_loss)
        return mean_loss, norm, wishes > 0

    def passes(self, seen: list[Batch], *, wished: bool = False) -> Tensor:
        """Forward and back over the micro-batches, and the optimizer's step.

        Loss, wishes to stop and gradient norm over all processes, still on the device. A step whose loss or gradient is
        not finite changes nothing.
        """
        network = self.network()
        self.optimizer.zero_grad(set_to_none=True)
        parts = len(seen)
        told = torch.zeros(3, dtype=torch.float64, device=self.place.device)
        for part, (images, labels) in enumerate(seen):
            waits = isinstance(network, DistributedDataParallel) and part + 1 < parts
            fused = self.steps_taken.context()
            with network.no_sync() if waits else nullcontext(), fused:
                loss = self._loss(images, labels, network)
                (loss if parts == 1 else loss / parts).backward()
            told[0] += loss.detach() / parts
        if wished:
            told[1] = 1
        told = self.place.sum(told)
        gradients = [p.grad for p in self.model.parameters() if p.grad is not None]
        told[2] = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        self._update(~torch.isfinite(told).all())
        return told

    def _update(self, skip: Tensor) -> None:
        """Let the optimizer step unless ``skip``, decided on the device: the way of torch.amp.GradScaler."""
        self.optimizer.grad_scale = None  # type: ignore[attr-defined]
        self.optimizer.found_inf = skip.float()  # type: ignore[attr-defined]
        self.optimizer.step()

    def _fail(self, name: str, value: float, seen: list[Batch]) -> None:
        images = torch.cat([x for x, _ in seen])
        first = first_not_finite(
            self.model,
            lambda: torch.stack([self._loss(x, y, self.model) for x, y in seen]).mean(),
            images,
            self.place,
        )
        raise TrainingError(
            f"epoch {self.epoch + 1}, step {self.step + 1} (step {self.steps_done + 1} of the run): the {name} is "
            f"{value}; first quantity that is not finite: {first}. The state saved last is kept; "
            "try a smaller learning rate"
        )

    def end_epoch(self, measured: Accuracy | None = None) -> EpochReport:
        """Count the epoch whose steps are all done."""
        report = EpochReport(self.epoch + 1, float(torch.tensor(self.losses).mean()), self.model.mode, measured)
        self.epoch += 1
        self.step, self.losses, self._stream = 0, [], None
        return report

    @torch.no_grad()
    def test_accuracy(self, wish: StopWish | None = None) -> Accuracy:
        """Accuracy on the test split in the model's present mode, over all processes; a wish to stop interrupts."""
        self.model.eval()
        hits = torch.zeros(3, dtype=torch.float64, device=self.place.device)
        for images, labels in self.batches.test():
            if wish is not None and wish.wished:
                raise KeyboardInterrupt
            # Compiled, each stage would be so again in eval mode, and for the last batch: more kinds than Dynamo keeps.
            # In float32 whatever the training: what is measured is the model that is written.
            with torch.compiler.set_stance("force_eager"):
                logits = self.model(images)
            best = logits.topk(min(5, logits.shape[1]), dim=1).indices
            right = best == labels[:, None]
            # argmax, as everywhere else; topk may order equal logits otherwise
            hits[0] += (logits.argmax(dim=1) == labels).sum()
            hits[1] += right.any(dim=1).sum()
            hits[2] += len(labels)
        self.model.train()
        top1, top5, count = self.place.sum(hits).tolist()
        return Accuracy(top1 / count, top5 / count, int(count))

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Tensors (model, optimizer, order and random generator of the batches) and the rest, as JSON data."""
        optimizer = self.optimizer.state_dict()
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        for index, moments in optimizer["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        tensors |= {f"batches.{name}": t for name, t in self.batches.state().items()}
        head = {
            "recipe": self.recipe.model_dump(mode="json"),
            "train_images": self.train_images,
            "step_images": self.step_images,
            "processes": self.place.world,
            "epoch": self.epoch,
            "step": self.step,
            "mode": self.model.mode,
            "losses": self.losses,
            "groups": [{k: v for k, v in g.items() if k != "params"} for g in optimizer["param_groups"]],
            "scheduler": self.scheduler.state_dict(),
            "threads": torch.get_num_threads(),
            "steps": self.steps_taken.name,
            "torch": torch.__version__,
        }
        return tensors, head

    def load_state(self, tensors: dict[str, Tensor], head: dict[str, Any]) -> None:
        """Go on exactly where :meth:`state` was taken."""
        parts: dict[str, dict[str, Tensor]] = {"model": {}, "optimizer": {}, "batches": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.model.load_state_dict(parts["model"])
        self.model.set_mode(head["mode"])
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts["optimizer"].items():
            index, _, key = name.partition(".")
            moments.setdefault(int(index), {})[key] = tensor
        groups = self.optimizer.state_dict()["param_groups"]
        stored = [{**old, "params": new["params"]} for old, new in zip(head["groups"], groups, strict=True)]
        self.optimizer.load_state_dict({"state": moments, "param_groups": stored})
        self.scheduler.load_state_dict(head["scheduler"])
        self.batches.load_state(parts["batches"])
        self.epoch, self.step, self.losses = head["epoch"], head["step"], list(head["losses"])
