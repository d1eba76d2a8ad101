"""Pictures of every kind become frames, and words for the device."""

from __future__ import annotations

import numpy as np
import pytest

from bvit_hw import runtime
from bvit_hw.runtime.images import checked, pack, prepare
from bvit_hw.runtime.labels import check_labels
from tests.emulators.device_stand_in import INFO, images


def test_prepare_takes_pictures_of_every_kind() -> None:
    frames = images(3)
    assert np.shares_memory(prepare(frames, INFO), frames)  # what fits is not touched
    assert np.array_equal(prepare(frames[0], INFO), frames[:1])
    assert np.array_equal(prepare(frames / np.float32(255), INFO), frames)
    assert np.array_equal(prepare(frames / 255, INFO), frames)
    grey = images(5)[..., 0]
    wanted = np.repeat(grey[..., None], 3, axis=3)
    assert np.array_equal(prepare(grey, INFO), wanted) and np.array_equal(prepare(grey[..., None], INFO), wanted)
    assert np.array_equal(prepare(grey[0], INFO), wanted[:1])
    opaque = np.concatenate([frames, np.full((*frames.shape[:3], 1), 9, np.uint8)], axis=3)
    assert np.array_equal(prepare(opaque, INFO), frames)
    mixed = prepare([frames[0], np.zeros((50, 60, 3), np.uint8), np.ones((9, 9))], INFO)
    assert mixed.shape == (3, 4, 8, 3) and (mixed[1] == 0).all() and (mixed[2] == 255).all()
    assert np.array_equal(prepare(np.asmatrix(grey[0]), INFO), wanted[:1]), "a matrix is an array"
    assert prepare([], INFO).shape == (0, 4, 8, 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((2, 4, 8, 3), np.int32), "are int32"),
        (np.zeros((2, 4, 8, 5), np.uint8), "5 channels"),
        (np.zeros((2, 0, 8, 3), np.uint8), "of shape"),
        (np.zeros(7, np.uint8), "of shape"),
        (np.full((1, 4, 8, 3), np.nan, np.float32), "no numbers"),
    ],
)
def test_prepare_refuses(wrong: np.ndarray, words: str) -> None:
    with pytest.raises(runtime.ImageError, match=words):
        prepare(wrong, INFO)


def test_pack_from_any_memory_order() -> None:
    frames = images(5)
    for source in (frames, np.asfortranarray(frames), frames[::-1], np.ascontiguousarray(frames.transpose(0, 3, 1, 2))):
        view = source.transpose(0, 2, 3, 1) if source.shape[1] == 3 else source
        buffer = np.zeros(1000, np.uint8)
        assert pack(view, buffer) == frames.nbytes
        assert buffer[: frames.nbytes].tobytes() == view.tobytes() and not buffer[frames.nbytes :].any()


def test_labels_and_images_that_are_masked() -> None:
    masked = np.ma.array(images(2), mask=False)
    assert np.array_equal(prepare(masked, INFO), images(2))
    masked[1, 0, 0, 0] = np.ma.masked
    for call in (prepare, checked):
        with pytest.raises(runtime.ImageError, match="masked in part"):
            call(masked, INFO)
    with pytest.raises(ValueError, match="masked in part"):
        check_labels(np.ma.array([0, 1], mask=[False, True]), 2)
