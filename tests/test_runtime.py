"""The driver: on the simulated device with and without pynq, its pre-processing, its files, its independence."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bvit_hw import runtime
from bvit_hw.pipeline.board_package import sums, write_driver
from bvit_hw.runtime.images import checked, pack, prepare
from bvit_hw.runtime.labels import check_labels
from tests import runtime_cases
from tests.emulators.device_stand_in import INFO, images, logits, shared_stand_in
from tests.notebook_env import notebook_environment, notebook_python


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    base = tmp_path_factory.getbasetemp()
    return shared_stand_in(base if worker_id == "master" else base.parent)


@pytest.fixture
def package(shared: Path, tmp_path: Path) -> Path:
    """A copy of its own: a device is one process's at a time."""
    return Path(shutil.copytree(shared, tmp_path / "package"))


@pytest.mark.parametrize("name", list(runtime_cases.CASES))
def test_device(name: str, package: Path) -> None:
    runtime_cases.CASES[name](package)


def test_the_same_behind_pynq(package: Path, tmp_path: Path) -> None:
    """Every case again, with the real Overlay, allocate and DMA of the pynq library."""
    python = notebook_python()
    write_driver(tmp_path)
    program = (
        "import sys, runtime_cases as c, pynq\n"
        "assert c.runtime.__name__ == 'bvit_hw_runtime', c.runtime\n"
        "with c.opened(c.Path(sys.argv[1])) as a:\n"
        "    assert type(a._link._overlay) is pynq.Overlay and type(a._link._dma) is pynq.lib.DMA\n"
        "    assert type(a._held.slots[0].pixels) is pynq.buffer.PynqBuffer\n"
        "    assert pynq.Device.active_device is a._link._dma.device\n"
        "    assert a._link._overlay.accelerator.register_map.MAGIC[31:0] == 0x42564954\n"
        "    assert pynq.Clocks.fclk0_mhz == pynq.Clocks.fclk0_mhz > 99\n"
        "sys.exit(c.main())\n"
    )
    done = subprocess.run(
        [str(python), "-W", "error::UserWarning", "-c", program, str(package)],
        env=notebook_environment(tmp_path, Path(__file__).parent),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed ") == len(runtime_cases.CASES) and "Exception ignored" not in done.stderr


def test_the_driver_needs_numpy_and_pynq_only(tmp_path: Path) -> None:
    """So that the folder works on a board as it is; and nothing newer than Python 3.10."""
    allowed = {"numpy", "pynq", "pynqmetadata", "PIL"}
    standard = {
        "__future__", "abc", "argparse", "collections", "contextlib", "ctypes", "dataclasses", "fcntl", "functools",
        "hashlib", "importlib", "json", "math", "os", "pathlib", "pkgutil", "struct",
        "sys", "tempfile", "threading", "time", "types", "typing", "weakref",
        "zipfile", "zlib",
    }  # fmt: skip
    files = list(write_driver(tmp_path).rglob("*.py"))
    assert len(files) > 35  # the contract's with them
    for file in files:
        tree = ast.parse(file.read_text(), str(file), feature_version=(3, 10))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""] if node.level == 0 else []
            assert {n.split(".")[0] for n in names} <= allowed | standard, f"{file.name}:{node}"


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


def complete(package: Path) -> Path:
    """Test images and SHA256SUMS beside the stand-in."""
    frames = images(20)
    found = logits(frames)
    np.savez_compressed(package / "test_images.npz", images=frames, labels=found.argmax(axis=1), logits=found)
    files = {name: package / name for name in ("model.json", "test_images.npz")}
    (package / "SHA256SUMS").write_text(sums(files))
    return package


def test_self_test(package: Path) -> None:
    complete(package)
    result = runtime.self_test(package)
    assert (result.files, result.images, result.accuracy, result.simulated) == (2, 20, 1.0, True)
    assert 20 * 12 <= result.cycles < 20 * 12 + 2000
    assert "all logits of 20 images as expected" in str(result)
    with runtime.connect(package, "sim") as accelerator:
        assert runtime.self_test(package, accelerator=accelerator).images == 20


def test_self_test_without_labels(package: Path) -> None:
    """A build without its data set at hand packs generated images: their logits are compared, nothing is measured."""
    complete(package)
    frames = images(3)
    np.savez(package / "test_images.npz", images=frames, logits=logits(frames))
    (package / "SHA256SUMS").write_text(sums({n: package / n for n in ("model.json", "test_images.npz")}))
    result = runtime.self_test(package)
    assert result.accuracy is None and "all logits of 3 images as expected, accuracy not measured" in str(result)


def test_self_test_finds_damage(package: Path) -> None:
    complete(package)
    info = json.loads((package / "model.json").read_text())
    (package / "model.json").write_text(json.dumps({**info, "clock_mhz": 50}))
    with pytest.raises(runtime.PackageError, match=r"model\.json was changed; copy the package again"):
        runtime.self_test(package)
    (package / "model.json").unlink()
    with pytest.raises(runtime.PackageError, match=r"model\.json is missing"):
        runtime.self_test(package)
    (package / "model.json").write_text(INFO.text())
    with np.load(package / "test_images.npz") as data:
        arrays = dict(data)
    arrays["logits"][7, 2] += 1
    np.savez_compressed(package / "test_images.npz", **arrays)
    (package / "SHA256SUMS").write_text(sums({"test_images.npz": package / "test_images.npz"}))
    with pytest.raises(runtime.PackageError, match=r"1 of 20 test images have other logits than .* image 7"):
        runtime.self_test(package)
    (package / "SHA256SUMS").unlink()
    with pytest.raises(runtime.PackageError, match="SHA256SUMS"):
        runtime.check_files(package)


def test_what_people_write_into_is_no_damage(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("model.json", "look_inside.ipynb", "README.md")}
    for name, file in files.items():
        file.write_text(name)
    (tmp_path / "SHA256SUMS").write_text(sums(files))
    files["look_inside.ipynb"].write_text("with results")
    files["README.md"].unlink()
    assert runtime.check_files(tmp_path) == 1


@pytest.mark.parametrize("name", ["model.json", "bvit_hw.bit", "bvit_hw.hwh", "bvit_hw.xclbin"])
def test_what_is_loaded_is_compared_before(tmp_path: Path, name: str) -> None:
    files = {file: tmp_path / file for file in ("model.json", name, "other.txt")}
    for file in files.values():
        file.write_bytes(b"as written")
    (tmp_path / "SHA256SUMS").write_text(sums(files))
    files["other.txt"].write_bytes(b"changed")
    flipped = bytearray(b"as written")
    flipped[3] ^= 1
    files[name].write_bytes(flipped)
    with pytest.raises(runtime.PackageError, match=rf"{name} was changed; copy the package again"):
        runtime.connect(tmp_path, "board")


def test_the_sources_may_be_left_at_home_as_a_whole_only(tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("model.json", "ip/top.v", "ip/mem/a.mem", "sim/library.so")}
    for name, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    (tmp_path / "SHA256SUMS").write_text(sums(files))
    assert runtime.check_files(tmp_path) == 4
    files["ip/mem/a.mem"].unlink()
    with pytest.raises(runtime.PackageError, match=r"ip/mem/a\.mem is missing"):
        runtime.check_files(tmp_path)
    shutil.rmtree(tmp_path / "ip")
    assert runtime.check_files(tmp_path) == 2
    files["sim/library.so"].unlink()
    with pytest.raises(runtime.PackageError, match=r"sim/library\.so is missing"):
        runtime.check_files(tmp_path)


def test_connect_says_what_is_missing(package: Path) -> None:
    with pytest.raises(runtime.DeviceError, match=r"holds none of bvit_hw\.bit, bvit_hw\.xclbin"):
        runtime.connect(package, "board")
    with pytest.raises(runtime.DeviceError, match="allowed: auto, board, sim"):
        runtime.connect(package, "fpga")
    shutil.rmtree(package / "sim")
    with pytest.raises(runtime.DeviceError, match="holds none of"):
        runtime.connect(package)
    (package / "sim").mkdir()
    with pytest.raises(runtime.DeviceError, match="no simulated device that this machine can load"):
        runtime.connect(package)
    with pytest.raises(runtime.DeviceError, match="no such bitstream"):
        runtime.Accelerator(package / "bvit_hw.bit")


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_a_damaged_library_is_named_and_not_loaded(package: Path, damage: str) -> None:
    library = package / "sim" / "libaccelerator.so"
    data = bytearray(library.read_bytes())
    flipped = bytes([*data[: len(data) // 2], data[len(data) // 2] ^ 1, *data[len(data) // 2 + 1 :]])
    spoilt = {"truncated": bytes(data[: len(data) // 2]), "flipped": flipped, "empty": b"", "text": b"# none\n"}
    library.write_bytes(spoilt[damage])
    with pytest.raises(runtime.DeviceError, match=r"libaccelerator\.so was changed\); `bvit-hw build` makes one"):
        runtime.connect(package, "sim")


def test_a_device_whose_files_are_not_all_there(package: Path) -> None:
    sums_file = package / "sim" / "SHA256SUMS"
    (package / "sim" / "libaccelerator.hwh").unlink()
    with pytest.raises(runtime.DeviceError, match=r"libaccelerator\.hwh is missing"):
        runtime.connect(package, "sim")
    for text, word in (("", "empty"), ("no sums\n", "damaged")):
        sums_file.write_text(text)
        with pytest.raises(runtime.DeviceError, match=f"SHA256SUMS is {word}"):
            runtime.connect(package, "sim")


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


def test_labels_and_images_that_are_masked() -> None:
    masked = np.ma.array(images(2), mask=False)
    assert np.array_equal(prepare(masked, INFO), images(2))
    masked[1, 0, 0, 0] = np.ma.masked
    for call in (prepare, checked):
        with pytest.raises(runtime.ImageError, match="masked in part"):
            call(masked, INFO)
    with pytest.raises(ValueError, match="masked in part"):
        check_labels(np.ma.array([0, 1], mask=[False, True]), 2)


@pytest.mark.parametrize(
    "header",
    [b"{'descr': 'u1'  ", b"{'descr': '|u1', 'fortran_order': False, 'shape': (1" + b"0" * 40 + b",), }", b"(" * 60,
     b"{'descr': [], 'fortran_order': 3, 'shape': 'x', }", b"\xff\x00", b"{'descr': ('x',), 'fortran_order': False, "
     b"'shape': (2,), }"],
)  # fmt: skip
def test_arrays_with_a_damaged_head(header: bytes, tmp_path: Path) -> None:
    """Whatever Python's own parser makes of it."""
    text = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(64)
    (tmp_path / "a.npy").write_bytes(text)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", text)
        archive.writestr("logits.npy", text)
    shutil.copy(tmp_path / "a.npz", tmp_path / "test_images.npz")
    for name in ("a.npy", "a.npz"):
        with pytest.raises(runtime.ImageError, match=name):
            runtime.load_pictures(tmp_path / name)
    with pytest.raises(runtime.PackageError, match=r"test_images\.npz.*copy the package again"):
        runtime.expected_results(tmp_path)


@pytest.mark.parametrize("config", ["pyramid", "odd", "plain", "token"])
def test_reference_is_the_frozen_model(config: str, tmp_path: Path) -> None:
    """Every tensor of the NumPy reference against frozen PyTorch, from the file as the package has it."""
    import torch

    from bvit_hw.contract.file import save_frozen
    from bvit_hw.execute.frozen import FrozenBinaryViT
    from bvit_hw.freeze import random_frozen, random_images
    from tests.frozen_factory import ALL_CONFIGS

    graph = random_frozen(ALL_CONFIGS[config], seed=5)
    digest = save_frozen(graph, tmp_path / "frozen.safetensors")
    pictures = random_images(ALL_CONFIGS[config], 3)
    model, reference = FrozenBinaryViT(graph), runtime.Reference(tmp_path / "frozen.safetensors")
    trace = {name: value.numpy() for name, value in model.trace(torch.from_numpy(pictures)).items()}
    found = reference.tensors(pictures, list(trace))
    assert all(np.array_equal(found[name], trace[name]) for name in trace) and reference.model_hash == digest
    assert np.array_equal(reference.logits_int(pictures), model(torch.from_numpy(pictures)).numpy())
    for name, attended in reference.attention(pictures).items():
        (rows, cols), (height, width) = reference.grids(name)
        assert attended.dtype == bool and attended.shape[2:] == (rows * cols, height * width)
    with pytest.raises(runtime.ImageError, match="needed: uint8"):
        reference.logits_int(pictures[:, 1:])
    (tmp_path / "broken").write_bytes((tmp_path / "frozen.safetensors").read_bytes()[:99])
    with pytest.raises(runtime.PackageError, match="no frozen model"):
        runtime.Reference(tmp_path / "broken")
    strange = replace(graph, nodes=(replace(graph.nodes[0], op="Melt"), *graph.nodes[1:]))
    save_frozen(strange, tmp_path / "strange.safetensors")
    with pytest.raises(runtime.PackageError, match=r"operations \['Melt'\] are not known"):
        runtime.Reference(tmp_path / "strange.safetensors")


def test_reference_beside_the_driver(tmp_path: Path) -> None:
    """As on the board: nothing of ours can be imported but the driver's folder."""
    import torch

    from bvit_hw.contract.file import save_frozen
    from bvit_hw.execute.frozen import FrozenBinaryViT
    from bvit_hw.freeze import random_frozen, random_images
    from tests.frozen_factory import CONFIGS

    graph, pictures = random_frozen(CONFIGS["pyramid"], seed=5), random_images(CONFIGS["pyramid"], 2)
    save_frozen(graph, tmp_path / "frozen.safetensors")
    np.save(tmp_path / "pictures.npy", pictures)
    np.save(tmp_path / "logits.npy", FrozenBinaryViT(graph)(torch.from_numpy(pictures)).numpy())
    write_driver(tmp_path)
    program = (
        "import sys, numpy as np\n"
        "sys.modules['bvit_hw'] = None\n"
        "from bvit_hw_runtime import Reference\n"
        "found = Reference('frozen.safetensors').logits_int(np.load('pictures.npy'))\n"
        "assert np.array_equal(found, np.load('logits.npy'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


#: faults of the driver itself that the cases must find: file, what is there, what is put in its place
MUTATIONS = [
    ("driver.py", "if causes:\n            raise FrameError", "if False:\n            raise FrameError"),
    ("driver.py", "if packet != self._packet:\n            raise", "if False:\n            raise"),
    ("driver.py", "if received != wanted:", "if False:"),
    ("driver.py", "if self._link.read(reg.FRAMES_OUT) != self._given:", "if False:"),
    ("driver.py", "            self._packet = None\n            # Closing", "            # Closing"),
    ("driver.py", "        self._link.reset()\n        self.reset()", "        self.reset()"),
    ("driver.py", "        self._link.reset()\n        self.reset()", "        self._link.reset()"),
    ("driver.py", "slot = held.slots[number % 2]", "slot = held.slots[0]"),
    ("driver.py", "if busy is not None and not held.closed:\n                    self._recover()", "pass"),
    ("driver.py", "                    self.link.reset()", "                    pass"),
    ("driver.py", "        weakref.finalize(self, self._held.release)\n", ""),
    ("driver.py", "        self._require_open()\n        self._packet = None", "        self._packet = None"),
    ("driver.py", "if loaded != i.model_hash:", "if False:"),
    ("driver.py", "            earlier.close()", "            pass"),
    ("driver.py", "            slot.free()", "            pass"),
    ("lock.py", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB"),
    ("link.py", "        if channel.error:", "        if False:"),
    ("images.py", "if batch.dtype != np.uint8 or batch.shape[1:]", "if batch.shape[1:]"),
]


_SLOW = [pytest.param(*mutation, marks=pytest.mark.slow) for mutation in MUTATIONS[2:]]


@pytest.mark.parametrize(("name", "old", "new"), [*MUTATIONS[:2], *_SLOW])
def test_a_broken_driver_is_caught(name: str, old: str, new: str, package: Path, tmp_path: Path) -> None:
    folder = write_driver(tmp_path)
    text = (folder / name).read_text()
    assert text.count(old) >= 1, f"{name} holds no {old!r}"
    (folder / name).write_text(text.replace(old, new))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("runtime_cases.py")), str(package)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1 and "FAILED" in done.stdout, done.stdout + done.stderr
