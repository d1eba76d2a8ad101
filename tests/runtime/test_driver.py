"""The driver on the simulated device, with and without pynq; wrong drivers are noticed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bvit_hw import runtime
from bvit_hw.pipeline.board_package import write_driver
from tests.notebook_env import notebook_environment, notebook_python
from tests.runtime import runtime_cases


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
    assert done.stdout.count(" ... ok\n") == len(runtime_cases.CASES) and "Exception ignored" not in done.stderr


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
    ("held.py", "                    self.link.reset()", "                    pass"),
    ("classifier.py", "        weakref.finalize(self, self._held.release)\n", ""),
    ("driver.py", "        self._require_open()\n        self._packet = None", "        self._packet = None"),
    ("identity.py", "if loaded != info.model_hash:", "if False:"),
    ("classifier.py", "            earlier.close()", "            pass"),
    ("held.py", "                slot.free()", "                pass"),
    ("lock.py", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB"),
    ("link.py", "        if channel.error:", "        if False:"),
    ("images.py", "if batch.dtype != np.uint8 or batch.shape[1:]", "if batch.shape[1:]"),
]

_SLOW = [pytest.param(*mutation, marks=pytest.mark.slow) for mutation in MUTATIONS[2:]]


def test_every_mutation_has_its_place() -> None:
    """Most of them run in the slow suite alone, where a text that the driver no longer holds is noticed late."""
    for name, old, _ in MUTATIONS:
        assert (Path(runtime.__file__).parent / name).read_text().count(old) == 1, f"{name}: {old!r}"


@pytest.mark.parametrize(("name", "old", "new"), [*MUTATIONS[:2], *_SLOW])
def test_a_broken_driver_is_caught(name: str, old: str, new: str, package: Path, tmp_path: Path) -> None:
    folder = write_driver(tmp_path)
    text = (folder / name).read_text()
    assert text.count(old) >= 1, f"{name} holds no {old!r}"
    (folder / name).write_text(text.replace(old, new))
    done = subprocess.run(
        [sys.executable, "-m", "runtime_cases", str(package)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path(__file__).parent)])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1 and "FAILED" in done.stdout, done.stdout + done.stderr
