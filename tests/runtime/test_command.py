"""The driver's own command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.emulators.device_stand_in import complete, images, logits


def test_run_on_the_command_line(package: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from bvit_hw.runtime.__main__ import main

    complete(package)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    frames = images(3)
    for n, frame in enumerate(frames):
        Image.fromarray(frame).save(pictures / f"{n}.png")
    assert main(["--package", str(package), "run", "--images", str(pictures)]) == 0
    out = capsys.readouterr().out.splitlines()
    for n, row in enumerate(logits(frames)):
        first, second = np.argsort(-row, kind="stable")[:2]
        margin = f"{row[first] - row[second]} above {'abcde'[second]}"
        assert out[n] == f"{n}.png  {'abcde'[first]}  (logit {row[first]}, {margin})"
    assert "no probabilities" in out[3] and "simulated device: 3 images in" in out[4]
    assert main(["--package", str(package), "run", "--images", str(package / "test_images.npz")]) == 0
    assert "20 of 20 as labelled (100.00%)" in capsys.readouterr().out
    strange = tmp_path / "strange.npz"
    for wrong, words in ((np.zeros((3, 1)), "one whole number an image"), ([0, 1, 9], "labels 0..9; the network has")):
        np.savez(strange, images=frames, labels=np.array(wrong))
        assert main(["--package", str(package), "run", "--images", str(strange)]) == 1
        told = capsys.readouterr()
        assert words in told.err and "strange.npz" in told.err and "as labelled" not in told.out
    for name, wrong in (("whole.npy", frames[0].astype(int)), ("planes.npy", frames[0].transpose(2, 0, 1))):
        np.save(pictures / name, wrong)
        assert main(["--package", str(package), "run", "--images", str(pictures)]) == 1
        assert f"error: {name}: images " in capsys.readouterr().err
        (pictures / name).unlink()
    np.savez(strange, images=np.full((1, 4, 8, 3), np.nan))
    assert main(["--package", str(package), "run", "--images", str(strange)]) == 1
    assert "strange[0]: images hold values that are no numbers" in capsys.readouterr().err
    assert main(["--package", str(package), "selftest"]) == 0
    assert "2 files whole" in capsys.readouterr().out
    (pictures / "9.png").write_bytes(b"no picture")
    assert main(["--package", str(package), "run", "--images", str(pictures)]) == 1
    assert "9.png: damaged, or no picture that Pillow can read" in capsys.readouterr().err
    assert main(["--package", str(package), "run", "--images", str(tmp_path / "none")]) == 1
    assert main(["--package", str(package), "run", "--images", "x" * 300]) == 1
    assert "name too long" in capsys.readouterr().err
    for folder, told in (("b", "as labelled"), ("B", "no classes of the network: B; nothing is compared")):
        (tmp_path / "tree" / folder).mkdir(parents=True)
        Image.fromarray(frames[0]).save(tmp_path / "tree" / folder / "0.png")
        assert main(["--package", str(package), "run", "--images", str(tmp_path / "tree")]) == 0
        assert told in capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize("words", [["--package", "", "selftest"], ["run", "--images", " "], ["run", "--images="]])
def test_empty_words_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    from bvit_hw.runtime.__main__ import main

    with pytest.raises(SystemExit) as stop:
        main(words)
    assert stop.value.code == 2 and "is empty; give it a value" in capsys.readouterr().err
