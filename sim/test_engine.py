"""The whole engine, from DRAM to DRAM: networks as programmes, tensor by tensor; errors of DRAM; bad programmes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_frames import Frame, play, tensors
from harness import mutant

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.reference import Reference
from bvit_hw.engine.commands import Command, Kind, Memory, Space, Tap, View
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import HALF_BANDWIDTH, HESITANT_DRAM, Rules, frame_cycles
from bvit_hw.engine.machine import Machine
from bvit_hw.freeze import random_images
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.models.presets import preset
from bvit_hw.runtime.engine_registers import Flag
from tests.other_networks import NETWORKS

SMALL = EngineConfig(tokens=4, rows=16, bits=1024, values=2048, weights=512, params=512, steps=512, taps=512)

#: the same with a port of 128 bits, for which a group has 16 channels
WIDE = EngineConfig(tokens=3, rows=16, channels=16, bits=1024, values=2048, weights=512, params=512, steps=512,
                    taps=512, port=128)  # fmt: skip

#: for mutants, of which each needs a model
LEAST = EngineConfig(tokens=4, rows=8, bits=16, values=256, weights=16, params=16, steps=16, taps=16)


@cache
def network(name: str) -> tuple[FrozenGraph, np.ndarray]:
    """A network with drawn numbers, and two images."""
    config = NETWORKS[name].config if name in NETWORKS else preset(name)
    return random_frozen(config), random_images(config, 2, 3)


@cache
def compiled_for(name: str, config: EngineConfig, fused: bool) -> Compiled:
    return compile_network(network(name)[0], config, fused=fused)


def holds(name: str, config: EngineConfig, folder: Path, *, fused: bool, memory: dict[str, int] | None = None) -> int:
    """Logits of two images, one after another, and every tensor of the second one; returns a frame's cycles."""
    graph, images = network(name)
    compiled = compiled_for(name, config, fused)
    programme = compiled.programme
    frames = [Frame(name, compiled.frame(image), programme.output_bytes) for image in images]
    dumps = [made.behind - 1 for made in compiled.places]
    found = play(config, {name: programme.body}, frames, folder, dumps=dumps, cycles=2_000_000, memory=memory)
    wanted = Reference(graph).tensors(images, list(graph.tensors))
    for number, (output, registers) in enumerate(zip(found.outputs, found.registers, strict=True)):
        assert registers["FLAGS"] == 0 and registers["FRAMES"] == number + 1 and registers["STATUS"] == 2
        assert registers["COMMANDS"] == len(programme.commands) - 1
        assert np.array_equal(compiled.logits(output), wanted[graph.output][number].ravel())
    assert tensors(compiled, config, folder, {name: x[1] for name, x in wanted.items()}) == []
    return found.registers[-1]["CYCLES"]


@pytest.mark.parametrize("fused", [False, True], ids=["whole", "fused"])
def test_tiny_digits(fused: bool, tmp_path: Path) -> None:
    holds("tiny-digits", SMALL, tmp_path, fused=fused)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NETWORKS if name != "full-width"])
def test_other_networks(name: str, tmp_path: Path) -> None:
    holds(name, SMALL, tmp_path, fused=True)


@pytest.mark.slow
@pytest.mark.parametrize("memory", [{"STALL": 12}, {"LATENCY_MIN": 30, "LATENCY_MAX": 100}], ids=["stalling", "slow"])
def test_other_memories(memory: dict[str, int], tmp_path: Path) -> None:
    holds("tiny-digits", SMALL, tmp_path, fused=True, memory=memory)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("latency", "hesitates", "within"),
    [(1, 0, 0.01), (30, 0, 0.01), (100, 0, 0.03), (*HESITANT_DRAM, 0.05), (50, HALF_BANDWIDTH.hesitates, 0.05)],
)
def test_the_model_says_how_many_cycles_a_frame_takes(
    latency: int, hesitates: int, within: float, tmp_path: Path
) -> None:
    """With a long latency bursts that do not begin at a border of 4 KB count a little more."""
    memory = {"STALL": hesitates, "LATENCY_MIN": latency, "LATENCY_MAX": latency}
    found = holds("tiny-digits", SMALL, tmp_path, fused=True, memory=memory)
    rules = Rules(latency=latency, hesitates=hesitates)
    told = frame_cycles(SMALL, rules, compiled_for("tiny-digits", SMALL, True).programme.commands)
    print(f"latency {latency}, hesitates {hesitates}: the model says {told}, simulated {found}")
    assert abs(told - found) <= within * found, (told, found)


@pytest.mark.slow
@pytest.mark.parametrize("config", [EngineConfig(params=512), EngineConfig(tokens=4, rows=16, channels=16), WIDE],
                         ids=["7x32x8", "4x16x16", "3x16x16, 128 bits of DRAM"])  # fmt: skip
def test_other_engines(config: EngineConfig, tmp_path: Path) -> None:
    holds("tiny-digits", config, tmp_path, fused=True)


#: words of the input of small programmes, and of what they load themselves
WORDS, MORE = 70, 5


def slices_of(config: EngineConfig) -> int:
    """Slices of a word of the input: an odd number where the port allows it."""
    return 3 if config.port == 64 else 4


def small_programme(config: EngineConfig, data: bytes, *, bad: bool = False) -> bytes:
    """The input comes in, and goes out again; in between, perhaps, a command of a kind that is none."""
    slices = slices_of(config)
    commands = [
        Command(kind=Kind.LOAD, memory=Memory.VALUES, space=Space.INPUT, weights=View(3), words=WORDS,
                slices=slices),
        Command(kind=Kind.LOAD, memory=Memory.VALUES, weights=View(100), words=MORE, slices=4, address=8 * 16 * 6),
        Command(kind=Kind.STORE, operand0=View(3), words=WORDS, slices=slices),
        Command(kind=Kind.STORE, operand0=View(100), words=MORE, slices=4, address=8 * slices * WORDS),
        Command(kind=Kind.LOAD, memory=Memory.BITS, words=0, slices=slices),
        Command(kind=Kind.END),
    ]  # fmt: skip
    body = bytearray(b"".join(command.encode().tobytes() for command in commands) + data)
    if bad:
        body[3 * 8 * 16] = 200
    return bytes(body)


def judge_errors(folder: Path, config: EngineConfig = SMALL, override: Path | None = None) -> None:
    """Between two good frames one that DRAM, or the programme, spoils."""
    rng = np.random.default_rng(1)
    beat, size = config.port // 8, WORDS * 8 * slices_of(config)
    data, given = rng.bytes(MORE * 32), rng.bytes(size)
    wanted = np.frombuffer(given + data, dtype=np.uint8)
    programmes = {"good": small_programme(config, data), "bad": small_programme(config, data, bad=True)}
    good, length = Frame("good", given, len(wanted)), 8 * 16
    read, write = 1 << Flag.READ_ERROR, 1 << Flag.WRITE_ERROR
    broken = [
        (replace(good, error=("programme", 0)), read, 0), (replace(good, error=("programme", length + 64)), read, 1),
        (replace(good, error=("input", 0)), read, 1), (replace(good, error=("input", size - beat)), read, 1),
        (replace(good, error=("programme", 6 * length + beat)), read, 2),
        (replace(good, error=("output", 512)), write, 3),
        (replace(good, error=("output", len(wanted) - beat)), write, 4),
        (Frame("bad", given, len(wanted)), 1 << Flag.ILLEGAL, 3), (replace(good, mute=True), 1 << Flag.TIMEOUT, 0),
    ]  # fmt: skip
    frames = [frame for bad, *_ in broken for frame in (good, bad)] + [good]
    frames[0] = replace(good, again=True)
    found = play(config, programmes, frames, folder, cycles=20_000, override=override)
    for number, registers in enumerate(found.registers):
        if number % 2 == 0:
            assert registers["FLAGS"] == 0 and registers["COMMANDS"] == 5
            assert np.array_equal(found.outputs[number], wanted)
        else:
            assert (registers["FLAGS"], registers["COMMANDS"]) == broken[number // 2][1:], number
    # A reset counts anew.
    assert [registers["FRAMES"] for registers in found.registers[::2]] == [*range(1, 10), 1]
    spent = [sum(found.registers[0][f"{name}_CYCLES"] for name in ("FETCH", "LOAD", "STORE"))]
    assert 0.8 * found.registers[0]["CYCLES"] < spent[0] < found.registers[0]["CYCLES"]


def test_errors_of_dram_drop_a_frame_and_the_next_one_is_right(tmp_path: Path) -> None:
    """Errors in the commands, a LOAD of either space and a STORE; a kind that is none; DRAM that does not answer."""
    judge_errors(tmp_path)


@pytest.mark.slow
def test_a_wide_port_has_the_same_errors(tmp_path: Path) -> None:
    judge_errors(tmp_path, WIDE)


#: like LEAST, with lanes and taps enough that the vector unit writes in two cycles of three
BESIDE = EngineConfig(tokens=2, rows=8, bits=16, values=512, weights=16, params=16, steps=16, taps=16)


def judge_beside(folder: Path, override: Path | None = None, memory: dict[str, int] | None = None) -> int:
    """LOADs to values beside COMPUTEs that write values; a STORE of what is written last. Returns the cycles."""
    config, rng = BESIDE, np.random.default_rng(2)
    tap, record, fresh = Tap(0, signed=False), rng.integers(0, 99, (3, 8)).astype("<u4"), rng.bytes(2 * 64 * 16)
    data = np.array([tap.word] * 3, dtype="<u8").tobytes() + record.tobytes() + fresh
    given, lanes, at = rng.bytes(64 * 16), config.tokens, 8 * 16 * 14

    def load(base: int, words: int, slices: int, begin: int, **fields: Any) -> Command:
        return Command(kind=Kind.LOAD, weights=View(base), words=words, slices=slices, address=begin, **fields)

    def store(base: int, words: int, begin: int) -> Command:
        return Command(kind=Kind.STORE, operand0=View(base), words=words, slices=lanes, address=16 * begin)

    compute = Command(
        kind=Kind.COMPUTE, groups=1, n2=64, tap_count=3, record=3, operand0=View(0, 0, 0, 1), lanes=lanes, out_bits=16,
        out_bytes=2, out_group=2, values_out=View(64, 0, 0, 2), mid_shift=0, slope_shift=0,
    )  # fmt: skip
    begin = at + 3 * 8 + 3 * 32
    commands = [
        load(0, 64, lanes, 0, memory=Memory.VALUES, space=Space.INPUT, wait=True),
        load(0, 3, 1, at, memory=Memory.TAPS), load(0, 3, 4, at + 24, memory=Memory.PARAMS),
        compute, load(320, 64, lanes, begin, memory=Memory.VALUES),
        replace(compute, operand0=View(320, 0, 0, 1), values_out=View(192, 0, 0, 2)),
        load(384, 64, lanes, begin + 64 * 16, memory=Memory.VALUES),
        replace(compute, operand0=View(384, 0, 0, 1)),
        store(191, 1, 0), store(64, 128, 1), store(192, 128, 129), store(320, 128, 257),
        load(64, 1, lanes, begin, memory=Memory.VALUES, wait=True),
        Command(kind=Kind.END),
    ]  # fmt: skip
    assert len(commands) * 8 * 16 == at
    body, size = b"".join(command.encode().tobytes() for command in commands) + data, 16 * 385
    machine = Machine(config, body, given, size)
    for command in commands:
        machine.run(command)
    frame = Frame("beside", given, size)
    found = play(config, {"beside": body}, [frame, frame], folder, cycles=20_000, override=override, memory=memory)
    for output, registers in zip(found.outputs, found.registers, strict=True):
        assert registers["FLAGS"] == 0 and np.array_equal(output, machine.output)
    return found.registers[-1]["CYCLES"]


def test_loads_to_values_come_where_the_units_do_not_write(tmp_path: Path) -> None:
    took = judge_beside(tmp_path)
    print(f"{took} cycles")


#: of what LOADs beside COMPUTEs need, and more commands than are fetched beforehand
BESIDE_MUTATIONS = [
    ("bvit_engine_read.sv", "!ended_q && !(hold && head_held)", "!ended_q"),
    ("bvit_engine_read.sv", "= !ended_q && ", "= "),
    ("bvit_engine_values_out.sv", "(kept ? late_bytes > 3'd1 : left_q > 3'd2)", "1'b0"),
    ("bvit_engine_values_out.sv", "(ended[FOLDING-1] &&", "(1'b0 &&"),
    ("bvit_engine_control.sv", "!settles_q || idle_q", "1'b1"),
    ("bvit_engine_control.sv", "load_issues && to_values_q", "1'b0"),
    ("bvit_engine_control.sv", "more_q && ahead_q != AHEAD_BITS'(AHEAD)", "more_q"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), BESIDE_MUTATIONS)
def test_mutations_of_loads_beside_units_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    changed = mutant(tmp_path / "mutant", file, old, new)
    with pytest.raises(AssertionError):
        judge_beside(tmp_path, changed)


MUTATIONS = [
    ("bvit_engine_bursts.sv", "if (near) beats =", "if (1'b0) beats ="),
    ("bvit_engine_bursts.sv", "if (ends) beats = COUNT_BITS'(left_q);", ""),
    ("bvit_engine_bursts.sv", "away_q < AWAY_BITS'(OUTSTANDING)", "1'b1"),
    ("bvit_engine_read.sv", "error <= m_axi_rresp != 2'b00", "error <= 1'b0"),
    ("bvit_engine_read.sv", "takes && (first_q ?", "(first_q ?"),
    ("bvit_engine_read.sv", "first <= first_q", "first <= done_q <= 24'd1"),
    ("bvit_engine_read.sv", "bursts_free && queue_ready", "queue_ready"),
    ("bvit_engine_write.sv", "left_q != '0 && held_q != HELD_BITS'(DEPTH)", "left_q != '0"),
    ("bvit_engine_bursts.sv", "pending_q || away_q != '0", "pending_q"),
    ("bvit_engine_write.sv", "m_axi_wlast = first_q ? single : last_q", "m_axi_wlast = place_q == 8'd15"),
    ("bvit_engine_control.sv", "if (bad_q || ends_q)", "if (ends_q)"),
    ("bvit_engine_control.sv", "(state_q == IDLE) fetch_q <= programme", "(start) fetch_q <= programme + 8"),
    ("bvit_engine_control.sv", "may_issue && !loading && !load_bad_q", "may_issue && !load_bad_q"),
    ("bvit_engine_control.sv", "load_ended_q && !load_stop_q", "load_ended_q"),
    ("bvit_engine_control.sv", "!core_busy_q && !loading && !read_busy && !more_q", "!core_busy_q && !more_q"),
    ("bvit_engine_control.sv", ".rst(rst || state_q == IDLE)", ".rst"),
    ("bvit_engine_control.sv", "waiting && watch_q == WATCH_BITS'(TIMEOUT)", "1'b0"),
    ("bvit_engine_regs.sv", "!busy && !start", "!start"),
    ("bvit_engine_regs.sv", "done && flags == '0", "done"),
    ("bvit_engine_regs.sv", "(done || done_q)", "done_q"),
    ("bvit_engine.sv", "m_axi_wstrb = '1", "m_axi_wstrb = '0"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    changed = mutant(tmp_path / "mutant", file, old, new)
    with pytest.raises(AssertionError):
        judge_errors(tmp_path, LEAST, changed)
