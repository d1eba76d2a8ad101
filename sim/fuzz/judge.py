"""One case of the fuzz, from the frozen network to RTL logits: asserts what must hold, returns what was seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from bvit_hw.boards import Board, load_board
from bvit_hw.codegen.accelerator import accelerator
from bvit_hw.codegen.stitch import stitch
from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.file import load_frozen, save_frozen
from bvit_hw.errors import FreezeError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.finn.lower import lower
from bvit_hw.flows.core_sim import CoreSimulator
from bvit_hw.flows.limited_sim import LimitedSimulator, run_or_stuck
from bvit_hw.flows.verilator import lint
from bvit_hw.freeze.random_frozen import random_frozen, random_images
from bvit_hw.graph.border import border_of
from bvit_hw.graph.fifo_sizing import CoreRun, Simulate, SizedGraph, check_logits, held_back, measure, size_fifos
from bvit_hw.graph.file import load_graph, save_graph
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_fifos import with_depths
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.graph.tight_fifos import AS_FAST, SLOWER, STUCK, outcome
from bvit_hw.graph.vendor_cells import with_vendor_cells
from bvit_hw.ops.base import HwOp, IntArray, Resources
from bvit_hw.qonnx import execute_qonnx, to_qonnx
from bvit_hw.rtl_library import source_paths

from .cases import Case
from .simulators import OPTIMIZE, SizingSimulator, own_cache

#: images of a case, and the fewest frames of a run
IMAGES, FRAMES = 3, 8
#: FIFOs that are tried one beat less deep
_ONE_BELOW = 8
#: what a FIFO one beat less deep than it was found to need did to the core
OUTCOMES = (STUCK, SLOWER, AS_FAST)
Facts = dict[str, object]


def judge(case: Case, folder: Path) -> Facts:
    """Run ``case``, leaving in ``folder`` all that is made on the way; raises what is wrong with it.

    A network that freezing refuses is "refused".
    """
    torch.set_num_threads(1)
    try:
        frozen = random_frozen(case.config, case.weights, coef_bits=case.coef_bits, slope_bits=case.slope_bits)
    except FreezeError as error:
        return {"outcome": "refused", "why": str(error)}
    images = random_images(case.config, IMAGES, case.images)
    digest = save_frozen(frozen, folder / "frozen.safetensors")
    np.save(folder / "images.npy", images)
    wanted = FrozenBinaryViT(load_frozen(folder / "frozen.safetensors"))(torch.from_numpy(images)).numpy()
    wanted = wanted.reshape(IMAGES, -1).astype(np.int64)
    model = to_qonnx(frozen)
    logits = execute_qonnx(model, images)[frozen.output].reshape(IMAGES, -1)
    assert np.array_equal(logits, wanted), f"QONNX gives {logits.tolist()}, frozen PyTorch {wanted.tolist()}"
    graph = lower(model, images=images[:1])
    direct = {node.name: node.op for node in hw_graph_of(frozen).nodes}
    assert {node.name: node.op for node in graph.nodes} == direct, "lowered through QONNX it is another graph"
    board = load_board(case.board)
    folded = folded_graph(case, graph, board)
    save_graph(folded, folder / "folded.safetensors")
    return core_facts(case, frozen, digest, load_graph(folder / "folded.safetensors"), board, images, wanted, folder)


def folded_graph(case: Case, graph: HwGraph, board: Board) -> HwGraph:
    """The graph in the case's folding, on the board's target."""
    graph = with_vendor_cells(graph, board)
    fastest = max(min(op.cycles for op in node.op.foldings()) for node in graph.nodes)
    cycles = max(case.cycles, fastest)
    if case.folding == "solver":
        return fold(graph, board, target_fps=board.clock_mhz * 1e6 / cycles).graph
    rng, chosen = case.rng(), dict[str, HwOp]()
    for node in graph.nodes:
        allowed = sorted((op for op in node.op.foldings() if op.cycles <= cycles), key=lambda op: op.resources().lut)
        # Half of them among the smallest: it is compiling that takes the time of a case.
        few = allowed[: max(1, len(allowed) // 4)]
        choices = few if rng.random() < 0.5 else allowed[: max(1, len(allowed) * 3 // 4)]
        chosen[node.name] = choices[int(rng.integers(len(choices)))]
    return graph.with_ops(chosen)


def core_facts(
    case: Case, frozen: FrozenGraph, digest: str, folded: HwGraph, board: Board,
    images: np.ndarray, wanted: IntArray, folder: Path,
) -> Facts:  # fmt: skip
    """Glue, FIFO depths, RTL: logits, cycles a frame, and what happens with depths that are too small."""
    cache = own_cache(folder)
    real = CoreSimulator(workdir=folder / "core", cache=cache, jobs=1, optimize=OPTIMIZE)
    roomy = LimitedSimulator(workdir=folder / "limited", cache=cache, jobs=1, optimize=OPTIMIZE)
    sizing = SizingSimulator(roomy=roomy, real=real)
    room = Resources(bram18=case.bram18, uram=min(case.uram, board.limits.uram))
    glued = add_glue(folded, image=images[0], clock_mhz=board.clock_mhz)
    frames = steady_frames(glued, sizing, images)
    sized = size_fifos(glued, sizing, images, rooms=[room], clock_mhz=board.clock_mhz, frames=frames)
    save_graph(sized.graph, folder / "sized.safetensors")
    check_logits(sized.run, wanted)
    hesitant = replace(
        real, source_chance=case.source_chance, sink_chance=case.sink_chance, seed=case.number + 1
    )  # fmt: skip
    check_logits(hesitant(sized.graph, images, frames=IMAGES), wanted)
    lint_accelerator(case, frozen, digest, sized.graph, board, folder)
    assert sizing.graph is not None
    facts: Facts = {
        "outcome": "passed",
        "cycles": folded.cycles,
        "simulated": sized.run.cycles_per_frame,
        "operators": len(folded.nodes),
        "fifos": len(sized.occupancy),
        "frames": frames,
    }
    return facts | depth_facts(case, sizing, sized, images, wanted, folder)


def steady_frames(graph: HwGraph, simulate: Simulate, images: np.ndarray) -> int:
    """Frames of a run in which every FIFO gets as full as it ever does: twice as many as are under way at once.

    Frames of the least networks take so few cycles that a dozen are inside the pipelines. In a shorter run the FIFOs
    beside them are still filling up when it ends, so that it finds depths with which a longer one is slower.
    """
    first = measure(graph, simulate, images, frames=2, small=held_back(graph))
    return max(FRAMES, 2 * -(-first.latency // graph.cycles))


def lint_accelerator(
    case: Case, frozen: FrozenGraph, digest: str, graph: HwGraph, board: Board, folder: Path
) -> None:
    """Write the accelerator as a build does; Verilator must have nothing to say."""
    core = stitch(graph)
    image = (case.config.image_size, case.config.image_size, case.config.in_channels)
    border = border_of(graph, board.limits.bram18)
    exponent = frozen.tensors[frozen.output].exponent
    top = accelerator(
        core, name="bvit_accelerator", model_hash=digest, image=image, border=border, logits_exponent=exponent
    )
    rtl = folder / "rtl"
    texts = [core.write(rtl, folder / "mem"), top.write(rtl)]
    lint([*source_paths((*top.cell_models, *top.library)), *texts], top.module)


def depth_facts(
    case: Case, sizing: SizingSimulator, sized: SizedGraph, images: np.ndarray, wanted: IntArray, folder: Path
) -> Facts:
    """Every FIFO at its found minimum, then some in turn one beat less deep, then a deep one as far down as it goes.

    With run-time limits first; then the RTL's own FIFOs of such depths must do the same in every cycle.
    """
    graph, roomy, frames = sizing.graph, sizing.roomy, len(sized.run.ends)
    assert graph is not None
    least = {name: max(2, depth) for name, depth in sized.needed.items()}
    base = run_or_stuck(replace(roomy, limits=least), graph, images, frames=frames)
    assert base is not None, f"stuck with every FIFO as deep as it needs: {least}"
    check_logits(base, wanted)
    assert base.cycles_per_frame <= graph.cycles, (
        f"{base.cycles_per_frame} cycles a frame with every FIFO as deep as it needs, the model says {graph.cycles}"
    )

    def outcome_at(name: str, depth: int) -> tuple[str, CoreRun | None]:
        run = run_or_stuck(replace(roomy, limits={**least, name: depth}), graph, images, frames=frames)
        if run is not None:
            check_logits(run, wanted)
        return outcome(run, base), run

    rng, deep = case.rng(), sorted(name for name in least if least[name] > 2)
    judged = [str(name) for name in rng.permutation(deep)[:_ONE_BELOW]]
    below = [outcome_at(name, least[name] - 1)[0] for name in judged]
    facts: Facts = {"judged": len(judged), **{seen: below.count(seen) for seen in OUTCOMES}}
    depths, expected, kind = least, base, "least"
    if deep and case.real == "below":
        deepest = sorted(deep, key=lambda name: -least[name])[:3]
        name = deepest[int(rng.integers(len(deepest)))]
        # the least depth that is as fast; one less is noticed
        low, high = 1, least[name]
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if outcome_at(name, middle)[0] == AS_FAST else (middle, high)
        if low > 1:
            (seen, expected), kind = outcome_at(name, low), "below"
            assert seen != AS_FAST
            depths = {**least, name: low}
            facts |= {"tight": 1, f"tight {seen}": 1, "tight depth": high, "found depth": least[name]}
    found = run_or_stuck(replace(sizing.real, workdir=folder / kind), with_depths(graph, depths), images, frames=frames)
    same_in_every_cycle(found, expected)
    return facts | {"real": kind}


def same_in_every_cycle(found: CoreRun | None, expected: CoreRun | None) -> None:
    """The RTL's own FIFOs do what a run with limits foretold: stuck as well, or each frame in the same cycles."""
    if found is None or expected is None:
        assert found is expected, f"RTL stuck: {found is None}; foretold: {expected is None}"
        return
    assert np.array_equal(found.logits, expected.logits)
    times = [(run.starts, run.ends) for run in (found, expected)]
    assert times[0] == times[1], f"frames' first and last beats of the RTL: {times[0]}; foretold: {times[1]}"
