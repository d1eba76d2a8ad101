"""Trains one of timm's networks on a small data set in memory, as a teacher for `bvit-hw train --teacher FILE`.

    python benchmarks/train_teacher.py --data cifar10=DIR -o teacher.safetensors [--network resnet18] [--side 64]

The pictures are shifted and flipped as the student sees them, cut out (8 of 32 pixels), enlarged to ``--side``. SGD
with Nesterov momentum, one-cycle learning rate, labels smoothed by 0.1. The last epoch's weights; nothing is chosen on
test images.
"""

from __future__ import annotations

import argparse
import time
from contextlib import nullcontext
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from bvit_hw.data import open_data
from bvit_hw.data.loading import Share
from bvit_hw.disk import aside
from bvit_hw.models import preset
from bvit_hw.models.teacher import TimmTeacher
from bvit_hw.train import Recipe
from bvit_hw.train.device_batches import DeviceBatches


def main() -> None:
    """Train, say the accuracy on the test split, write the weights."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--preset", default="cifar10", help="the student, whose normalization the teacher takes")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--network", default="resnet18")
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--lr", type=float, default=0.4)
    given = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    student = preset(given.preset)
    data = open_data(given.data)
    teacher = TimmTeacher(
        given.network, given.out, data.classes, given.side, student.in_channels, student.mean, student.std
    )
    torch.manual_seed(0)
    model = teacher.create().to(device, memory_format=torch.channels_last)
    recipe = Recipe(
        dataset=given.data, model=student, epochs=given.epochs, batch_size=given.batch_size, augmentation="crop-flip",
        cutout=student.image_size // 4,
    )  # fmt: skip
    batches = DeviceBatches(recipe, data, Share(given.batch_size), device)
    optimizer = torch.optim.SGD(model.parameters(), lr=given.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, given.lr, total_steps=given.epochs * batches.steps, pct_start=0.2
    )
    mixed = device.type == "cuda"

    def logits(images: torch.Tensor) -> torch.Tensor:
        images = images.to(memory_format=torch.channels_last)
        images = F.interpolate(images, size=(given.side, given.side), mode="bilinear", align_corners=False)
        with torch.autocast("cuda", dtype=torch.bfloat16) if mixed else nullcontext():
            return model(images)

    start = time.monotonic()
    for epoch in range(given.epochs):
        total = torch.zeros((), device=device)
        for images, labels in batches.epoch(epoch, 0):
            loss = F.cross_entropy(logits(images).float(), labels, label_smoothing=0.1)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach()
        print(
            f"epoch {epoch + 1}: loss {float(total) / batches.steps:.4f}, {time.monotonic() - start:.0f} s", flush=True
        )
    model.eval()
    with torch.no_grad():
        hits = sum(int((logits(images).argmax(dim=1) == labels).sum()) for images, labels in batches.test())
    # Half of the bytes; a teacher's softmax does not notice.
    state = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }
    with aside(given.out) as temporary:
        save_file(state, temporary, metadata={"timm_teacher": teacher.metadata()})
    print(f"{given.network}: {hits} of {len(data.test)} test images right; {given.out}")


if __name__ == "__main__":
    main()
