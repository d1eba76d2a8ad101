"""Which images of a labelled set are measured or simulated where not all of them are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bvit_hw.data.choice import sample, spread_classes
from bvit_hw.data.digits import load_digits
from bvit_hw.data.labelled import image_batches, load_images
from tests.paper_files import CONFIG

#: class by class, of these sizes
SIZES = {
    "two": [500, 500], "three": [40, 3, 700], "ten": [50] * 10, "rare": [2000, 1, 1], "many": [7] * 300,
    "many, unequal": [1 + n % 13 for n in range(300)], "as files have them": [1, 200, 3, 90],
}  # fmt: skip


@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES.keys())
@pytest.mark.parametrize("limit", [1, 2, 3, 10, 32, 100, 512, 10_000])
def test_every_class_has_its_share(sizes: list[int], limit: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    chosen = sample(labels, limit)
    assert len(set(chosen.tolist())) == len(chosen) == min(limit, len(labels)) and (np.diff(chosen) > 0).all()
    counts = np.bincount(labels[chosen], minlength=len(sizes))
    assert (counts > 0).sum() == min(limit, len(sizes))
    rare = sum(size * limit < len(labels) for size in sizes)  # what these take beyond their share others lack
    if limit >= len(sizes):
        assert (np.abs(counts - np.array(sizes) * min(1, limit / len(labels))) <= 1 + rare).all()
    first = np.bincount(labels[spread_classes(labels)][:limit], minlength=len(sizes))
    assert (first > 0).sum() == min(limit, len(sizes))
    assert all(first.max() - 1 <= got or got == size for got, size in zip(first, sizes, strict=True)), "all in turn"


def test_an_order_that_is_mixed_is_kept() -> None:
    labels = np.random.default_rng(1).integers(0, 10, 3000)
    assert np.array_equal(sample(labels, 100), np.arange(100))
    assert np.array_equal(spread_classes(labels), np.arange(3000))
    blocks = np.r_[np.repeat([0, 1], 16), labels % 2]
    assert set(blocks[spread_classes(blocks)][:2]) == {0, 1} == set(blocks[sample(blocks, 8)])
    late = np.r_[np.arange(40), np.repeat(39, 300), np.arange(300)]
    assert len(set(late[spread_classes(late)][:200])) == 200, "mixed at the beginning only"


def test_the_digits_are_simulated_in_their_own_order() -> None:
    labels = load_digits().test_labels
    assert np.array_equal(spread_classes(labels), np.arange(len(labels)))


def test_a_tree_is_measured_and_simulated_on_all_its_classes(tmp_path: Path) -> None:
    sizes = {"ant": 90, "bee": 2, "cow": 30, "dog": 1, "eel": 5}
    for part in ("train", "val"):
        for place, (name, count) in enumerate(sizes.items()):
            (tmp_path / part / name).mkdir(parents=True)
            for n in range(count):
                Image.new("RGB", (16, 16), (50 * place, n, 9)).save(tmp_path / part / name / f"{n:03d}.png")
    found = list(image_batches(str(tmp_path), CONFIG, 4, limit=10))
    labels = np.concatenate([labels for _, labels in found])
    assert np.bincount(labels).tolist() == [6, 1, 1, 1, 1] or np.bincount(labels).tolist() == [5, 1, 2, 1, 1]
    assert [int(image[0, 0, 0]) for images, _ in found for image in images] == (50 * labels).tolist()
    some = load_images(str(tmp_path), CONFIG, most=6)
    assert some.labels is not None and set(some.labels) == set(range(5)) and len(some.images) == 6
