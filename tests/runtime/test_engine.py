"""The driver of a single engine on the simulated device, with and without pynq; wrong drivers are noticed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bvit_hw import runtime
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import VERSION
from bvit_hw.engine.machine import Machine
from bvit_hw.pipeline.board_package import write_driver
from bvit_hw.runtime.programme import FrameShape, read_programme
from tests.emulators import engine_stand_in
from tests.emulators.engine_stand_in import CONFIG, NETWORK, OTHER
from tests.notebook_env import notebook_environment, notebook_python
from tests.runtime import engine_cases


@pytest.fixture(scope="session")
def shared_engine(run_folder: Path) -> Path:
    return engine_stand_in.shared_engine(run_folder)


@pytest.fixture
def engine_package(shared_engine: Path, tmp_path: Path) -> Path:
    """A copy of its own: a device is one process's at a time."""
    return Path(shutil.copytree(shared_engine, tmp_path / "package"))


@pytest.mark.parametrize("name", list(engine_cases.CASES))
def test_engine(name: str, engine_package: Path) -> None:
    engine_cases.CASES[name](engine_package)


def test_the_same_behind_pynq(engine_package: Path, tmp_path: Path) -> None:
    """Every case again, with the real Overlay and allocate of the pynq library."""
    python = notebook_python()
    write_driver(tmp_path)
    shutil.copyfile(Path(engine_cases.__file__), tmp_path / "engine_cases.py")
    program = (
        "import sys, engine_cases as c, pynq\n"
        "assert c.runtime.__name__ == 'bvit_hw_runtime', c.runtime\n"
        "with c.opened(c.Path(sys.argv[1])) as a:\n"
        "    assert type(a._link._overlay) is pynq.Overlay\n"
        "    assert type(a._held.slots[0].buffer) is pynq.buffer.PynqBuffer\n"
        "    assert a._link._overlay.accelerator.register_map.MAGIC[31:0] == 0x42564945\n"
        "sys.exit(c.main())\n"
    )
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [str(python), "-W", "error::UserWarning", "-c", program, str(engine_package)],
        env=notebook_environment(tmp_path),
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" ... ok\n") == len(engine_cases.CASES) and "Exception ignored" not in done.stderr


@pytest.mark.parametrize("name", [NETWORK, OTHER])
def test_frames_and_logits_lie_as_the_compiler_says(name: str, shared_engine: Path) -> None:
    """Without the RTL: the driver's frame is the compiler's, and it reads what the golden machine leaves."""
    found = read_programme(shared_engine / f"{name}.prog", VERSION)
    shape = FrameShape.of(found)
    compiled = compile_network(engine_stand_in.frozen(name), CONFIG, fused=True)
    for seed in range(3):
        image = np.random.default_rng(seed).integers(0, 256, shape.picture, dtype=np.uint8)
        frame = np.full(shape.input_bytes, 255, np.uint8)
        shape.frame(image, frame)
        assert frame.tobytes() == compiled.frame(image)
        machine = Machine(CONFIG, compiled.programme.body, compiled.frame(image), found.output_bytes)
        for command in compiled.programme.commands:
            machine.run(command)
        logits = shape.result(np.frombuffer(bytes(machine.output), np.uint8))
        assert logits.tolist() == compiled.logits(machine.output).tolist() and (logits < 0).any()


#: faults of the driver itself that the cases must find: file, what is there, what is put in its place
MUTATIONS = [
    ("engine.py", "if self._held.streaming:\n", "if False:\n"),
    ("engine.py", "        if causes:\n", "        if False:\n"),
    ("engine.py", "            found.require(str(described[\"identity\"]))\n", ""),
    ("engine.py", "            for slot in before:\n                slot.free()\n", ""),
    ("engine.py", "                for slot in slots:\n                    slot.free()\n", ""),
    ("engine.py", "        if flags >> Flag.TIMEOUT & 1:", "        if False:"),
    ("engine.py", "            if not status >> Status.BUSY & 1:", "            if False:"),
    ("engine.py", "    if loaded != info.engine[\"identity\"]:", "    if False:"),
    ("engine.py", "                        buffer[place] = was\n", "                        pass\n"),
    ("engine.py", "slots[(number + 1) % 2])", "slots[number % 2])"),
    ("programme.py", "    if hashlib.sha256(head + rest).digest() != content[HEAD - DIGEST : HEAD]:", "    if False:"),
    ("programme.py", "    if len(rest) != size + told:", "    if False:"),
    ("programme.py", "    if found != version:", "    if False:"),
]  # fmt: skip


def test_every_mutation_has_its_place() -> None:
    for name, old, _ in MUTATIONS:
        assert (Path(runtime.__file__).parent / name).read_text().count(old) == 1, f"{name}: {old!r}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "old", "new"), MUTATIONS)
def test_a_broken_driver_is_caught(name: str, old: str, new: str, engine_package: Path, tmp_path: Path) -> None:
    folder = write_driver(tmp_path)
    text = (folder / name).read_text()
    (folder / name).write_text(text.replace(old, new))
    shutil.copyfile(Path(engine_cases.__file__), tmp_path / "engine_cases.py")
    (tmp_path / "work").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "engine_cases", str(engine_package)],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path / "work",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 1 and ("FAILED" in done.stdout), done.stdout + done.stderr
