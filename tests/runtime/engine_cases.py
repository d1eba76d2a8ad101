"""What the driver of a single engine must do on a simulated device, good days and bad ones; with and without pynq.

Imports nothing of bvit_hw but the driver: ``python -m engine_cases PACKAGE`` runs them in a notebook's environment.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import shutil
import sys
import unittest
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

try:
    import bvit_hw_runtime as runtime
except ImportError:
    from bvit_hw import runtime

#: of a programme's head: where version, identity and digest begin
_VERSION, _IDENTITY, _DIGEST, _HEAD = 8, 32, 64, 96


def opened(package: Path, **options: Any) -> Any:
    """The driver on the package's simulated device."""
    engine = runtime.connect(package, "sim", **options)
    assert type(engine) is runtime.Engine
    return engine


def images(engine: Any, count: int, seed: int = 0) -> np.ndarray:
    """Random pictures of the network that is loaded."""
    i = engine.info
    return np.random.default_rng(seed).integers(0, 256, (count, i.height, i.width, i.channels), dtype=np.uint8)


def serves(engine: Any, package: Path, count: int = 2, name: str = "frozen") -> None:
    """What comes out is what the frozen network gives, and nothing is left of what was before."""
    frames = images(engine, count, 99)
    reference = runtime.Reference(package / f"{name}.safetensors")
    assert engine.info.model_hash == reference.model_hash
    assert np.array_equal(engine.logits_int(frames), reference.logits_int(frames))
    assert engine.counters()["flags"] == 0


def raises(kind: type[Exception], words: str, call: Callable[[], object]) -> None:
    """``call`` raises exactly ``kind``, and says ``words``."""
    try:
        call()
    except kind as error:
        assert type(error) is kind, repr(error)
        assert words in str(error), f"{words!r} is not in {error}"
        return
    raise AssertionError(f"{kind.__name__} was not raised: {words}")


def case_logits_are_the_frozen_networks(package: Path) -> None:
    reference = runtime.Reference(package / "frozen.safetensors")
    with opened(package, batch=2) as engine:
        frames = images(engine, 5)
        wanted = reference.logits_int(frames)
        found = list(engine.stream([frames[:1], frames[:0], frames[1:]]))
        assert [len(logits) for logits in found] == [1, 0, 4]
        assert np.array_equal(np.concatenate(found), wanted)
        assert np.array_equal(engine.classify(frames), wanted.argmax(axis=1))
        assert np.allclose(engine.logits(frames[0]), wanted[:1] * 2.0**engine.info.logits_exponent)
        counters = engine.counters()
        assert counters["frames_in"] == counters["frames_out"] == 11 and counters["frames_dropped"] == 0
        assert counters["latency_cycles"] > counters["core_cycles"] > 0
        assert counters["cycles"] > 11 * counters["latency_cycles"]
        engine.clear_counters()
        assert engine.counters()["frames_in"] == 0 and engine.counters()["cycles"] < 2000
        raises(runtime.ImageError, "needed: uint8", lambda: engine.logits_int(frames[:, 1:]))
        assert engine._link.model.interrupt


def case_self_test(package: Path) -> None:
    found = runtime.self_test(package, "sim")
    assert found.images == 4 and found.simulated and found.files == 4


def case_another_network_and_the_first_again(package: Path) -> None:
    with opened(package) as engine:
        held = len(engine._link.model._memory)
        for _ in range(2):
            info = engine.load(package / "other.prog")
            assert info is engine.info and (info.name, info.height, info.channels) == ("other", 28, 1)
            serves(engine, package, name="other")
            engine.load(package / "network.prog")
            serves(engine, package)
        assert len(engine._link.model._memory) == held


def case_a_load_while_frames_are_under_way(package: Path) -> None:
    with opened(package) as engine:
        frames = images(engine, 1)
        stream = engine.stream([frames, frames])
        next(stream)
        raises(runtime.DeviceError, "frames are under way", lambda: engine.load(package / "other.prog"))
        raises(runtime.DeviceError, "under way", lambda: engine.profile(frames[0]))
        raises(runtime.DeviceError, "a stream is under way", lambda: engine.logits_int(frames))
        stream.close()
        serves(engine, package)
        engine.load(package / "other.prog")
        serves(engine, package, name="other")


def _with(package: Path, change: Callable[[bytearray], bytearray], *, sealed: bool = True) -> Path:
    """A copy of the other programme, changed; its digest is made anew unless it is not to be ``sealed``."""
    content = change(bytearray((package / "other.prog").read_bytes()))
    if sealed:
        content[_DIGEST:_HEAD] = hashlib.sha256(bytes(content[:_DIGEST] + content[_HEAD:])).digest()
    path = package / "changed.prog"
    path.write_bytes(bytes(content))
    return path


def _set(content: bytearray, at: int, value: int) -> bytearray:
    content[at] = value
    return content


def _told(content: bytearray, change: Callable[[dict[str, Any]], object]) -> bytearray:
    """Its facts changed."""
    body = int.from_bytes(content[12:16], "little")
    facts = json.loads(bytes(content[_HEAD + body :]))
    change(facts)
    text = json.dumps(facts).encode()
    content[28:32] = len(text).to_bytes(4, "little")
    return content[: _HEAD + body] + text


def case_programmes_that_are_refused(package: Path) -> None:
    """The one that is loaded stays."""
    kind = runtime.ProgrammeError
    with opened(package) as engine:
        def refused(words: str, change: Callable[[bytearray], bytearray], **how: bool) -> None:
            path = _with(package, change, **how)
            raises(kind, words, lambda: engine.load(path))

        raises(kind, "nowhere.prog: cannot be read", lambda: engine.load(package / "nowhere.prog"))
        raises(kind, "model.json: no programme", lambda: engine.load(package / "model.json"))
        refused("truncated", lambda c: c[:50], sealed=False)
        refused("truncated or longer", lambda c: c[:-1], sealed=False)
        refused("truncated or longer", lambda c: c + b"\0", sealed=False)
        refused("damaged", lambda c: _set(c, 5000, c[5000] ^ 1), sealed=False)
        refused("commands of version 3; this engine's are of version", lambda c: _set(c, _VERSION, 3))
        refused("compiled for the engine", lambda c: _set(c, _IDENTITY, c[_IDENTITY] ^ 1))
        refused("how a picture becomes a frame ('strip')", lambda c: _told(c, lambda f: f.pop("strip")))
        refused("are not those that its facts give", lambda c: _told(c, lambda f: f.update(strip=1)))
        refused("what it computes ('cycles')", lambda c: _told(c, lambda f: f.pop("cycles")))
        serves(engine, package)


def case_dram_that_is_too_small(package: Path) -> None:
    with opened(package) as engine:
        model = engine._link.model
        before = dict(model._memory)
        for pages in (4, 15):
            model.description["memory_size"] = sum(block.nbytes for block in before.values()) + pages * 4096
            raises(runtime.ProgrammeError, "DRAM has no room for", lambda: engine.load(package / "other.prog"))
            assert model._memory.keys() == before.keys()
            serves(engine, package)
        model.description["memory_size"] = 1 << 28
        engine._engine.engine["address_bits"] = 24
        raises(runtime.ProgrammeError, "the engine reaches 0x1000000", lambda: engine.load(package / "other.prog"))
        serves(engine, package)


def case_errors_of_dram(package: Path) -> None:
    with opened(package) as engine:
        for fault, beat, words in (
            ("read_error", 0, "a read with an error"), ("read_error", 700, "a read with an error"),
            ("write_error", 0, "a write with an error"),
        ):  # fmt: skip
            engine._link.model.inject(fault, beat)
            raises(runtime.TransferError, words, lambda: engine.logits_int(images(engine, 3)))
            serves(engine, package)


def case_dram_that_does_not_answer(package: Path) -> None:
    """The engine says so itself; whoever connects again is served."""
    for beats in (0, 900):
        with opened(package) as engine:
            engine._link.model.inject("mute", beats)
            raises(runtime.DeviceTimeoutError, "DRAM did not answer", lambda: engine.logits_int(images(engine, 1)))
            raises(runtime.DeviceError, "connect again", lambda: engine.logits_int(images(engine, 1)))
            raises(runtime.DeviceError, "connect again", lambda: engine.load(package / "other.prog"))
        with opened(package) as engine:
            serves(engine, package)


def case_a_frame_that_takes_too_long(package: Path) -> None:
    with opened(package, timeout=1e-6) as engine:
        engine._link.model.dram(3000)
        raises(runtime.DeviceTimeoutError, "no end after", lambda: engine.logits_int(images(engine, 1)))
        raises(runtime.DeviceError, "a frame did not end", lambda: engine.logits_int(images(engine, 1)))


def case_a_reset_in_the_middle_of_a_frame(package: Path) -> None:
    with opened(package) as engine:
        for cycle in (400, 2500, 5000):
            engine._link.model.inject("reset", cycle)
            raises(runtime.DeviceResetError, "reset in the middle", lambda: engine.logits_int(images(engine, 1)))
            serves(engine, package)


def case_dram_that_is_slow_and_hesitates(package: Path) -> None:
    with opened(package) as engine:
        quick = engine.counters()["latency_cycles"]
        serves(engine, package)
        engine._link.model.dram(100, 8)
        serves(engine, package)
        assert engine.counters()["latency_cycles"] > quick


def case_longer_pieces_pay(package: Path) -> None:
    """As the notebook on throughput wants it."""
    taken = []
    for batch in (1, 4):
        with opened(package, batch=batch) as engine:
            frames = images(engine, 4)
            before = engine.counters()["cycles"]
            engine.logits_int(frames)
            taken.append(engine.counters()["cycles"] - before)
    assert taken[1] < taken[0]


def case_profile(package: Path) -> None:
    """The pieces of a profile are the frame: cycles, commands; and the programme is as it was."""
    with opened(package) as engine:
        frame = images(engine, 1)
        engine.logits_int(frame)
        whole, rows = engine.counters(), engine.profile(frame[0])
        assert sum(row.cycles for row in rows) == whole["latency_cycles"]
        assert sum(row.core for row in rows) == whole["core_cycles"]
        assert sum(row.memory for row in rows) == sum(whole[f"{n}_cycles"] for n in ("fetch", "load", "store"))
        names = [row.name for row in rows]
        assert names[:2] == ["stem", "b0"] and "logits" in names and len(set(names)) == len(names)
        assert all(row.cycles > 0 and row.commands > 0 for row in rows)
        nodes = engine.profile(frame, by="node")
        assert sum(row.cycles for row in nodes) == whole["latency_cycles"] and len(nodes) > len(rows)
        raises(ValueError, "by='layer'", lambda: engine.profile(frame, by="layer"))
        raises(runtime.ImageError, "2 images", lambda: engine.profile(images(engine, 2)))
        serves(engine, package)


def case_another_engine_or_none(package: Path) -> None:
    """What model.json says must be what the registers say."""
    text = (package / "model.json").read_text()
    told = json.loads(text)
    (package / "SHA256SUMS").unlink()
    for change, words in (
        ({"identity": "0" * 64}, "holds another engine"), ({"version": 99}, "of version 99"),
    ):  # fmt: skip
        (package / "model.json").write_text(json.dumps(told | {"engine": told["engine"] | change}))
        raises(runtime.IdentityError, words, lambda: opened(package))
    (package / "model.json").write_text(json.dumps(told | {"engine": None}))
    raises(runtime.PackageError, "not of an engine", lambda: runtime.Engine(package / "sim"))
    (package / "model.json").write_text(text)
    with opened(package) as engine:
        serves(engine, package)


def case_closed(package: Path) -> None:
    engine = opened(package)
    model = engine._link.model
    again = opened(package)  # of the same process: the first one is closed
    raises(runtime.DeviceError, "closed", lambda: engine.load(package / "other.prog"))
    serves(again, package)
    again.close()
    again.close()
    assert not again._link.model._memory and not model._memory


def case_a_package_without_its_programme(package: Path) -> None:
    shutil.move(package / "network.prog", package / "elsewhere.prog")
    raises(runtime.PackageError, "network.prog is missing", lambda: opened(package))
    with runtime.Engine(package / "sim", programme=package / "elsewhere.prog") as engine:
        serves(engine, package)
    shutil.move(package / "elsewhere.prog", package / "network.prog")


CASES = {
    name[5:]: value for name, value in list(globals().items()) if name.startswith("case_") and inspect.isfunction(value)
}


def main() -> int:
    """Run every case on a copy of the package named; exit code 1 if one fails."""
    suite = unittest.TestSuite()
    for name, case in CASES.items():
        copy = Path(shutil.copytree(sys.argv[1], Path.cwd() / name))
        bound = partial(case, copy)
        bound.__name__ = name  # type: ignore[attr-defined]  # what unittest prints
        suite.addTest(unittest.FunctionTestCase(bound))
    runner = unittest.TextTestRunner(sys.stdout, descriptions=False, verbosity=2, failfast=True)
    return int(not runner.run(suite).wasSuccessful())


if __name__ == "__main__":
    sys.exit(main())
