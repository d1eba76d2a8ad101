"""What an engine takes of an FPGA by its numbers: terms whose weights are fitted to Yosys' counts of the units."""

from __future__ import annotations

from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.footprint import memory_halves, ultra_blocks
from bvit_hw.engine.machine import Machine
from bvit_hw.targets.cost import CostTerms, Resources
from bvit_hw.targets.target import Target

#: DSPs of a lane, of a token in the row rule, and of the addresses of pools and of the beats of a command
LANE_DSPS, RULE_DSPS, OTHER_DSPS = 2, 2, 2
#: the units that an engine has alike, whatever it is built with
FIXED = (
    "bvit_engine_steps", "bvit_engine_turns", "bvit_engine_read", "bvit_engine_write", "bvit_engine_control",
    "bvit_engine_regs",
)  # fmt: skip


def unit_terms(config: EngineConfig) -> dict[str, CostTerms]:
    """The terms of each unit by its module; ``bvit_engine_core`` is what stands beside the units in it and around it.

    ``lane`` is a channel of a token, ``sum`` a row of a token. ``choice``: inputs of a lane's multiplexer of pools.
    ``turn``: LUTs of four inputs that turn the tokens of a lane. ``pair``: bits that are chosen among pairs of groups.
    """
    tokens, rows, channels = config.tokens, config.rows, config.channels
    lanes, folds = tokens * channels, (channels - 1).bit_length()
    turns = ((tokens - 1).bit_length() + 1) // 2
    choices = 1 << folds.bit_length()
    pairs = (config.groups + 1) // 2
    vector = {"one": 1, "channel": channels, "lane": lanes, "turn": lanes * turns, "choice": lanes * choices}
    rule = {"one": 1, "channel": channels, "token": tokens, "key": lanes}
    mover = {"one": 1, "token": tokens, "row": rows}
    core = {
        "one": 1, "token": tokens, "row": rows, "lane": lanes, "pair": lanes * Machine.SUM_BITS * (pairs - 1),
    }  # fmt: skip
    terms = {name: CostTerms(circuit="EngineFixed", lut={"one": 0}, ff={"one": 0}) for name in FIXED}
    terms[FIXED[0]] = CostTerms(circuit="EngineFixed", lut={"one": 1}, ff={"one": 1})
    dsps = {"bvit_engine_vector": LANE_DSPS * lanes + 1, "bvit_engine_rule": RULE_DSPS * tokens}
    for name, counts in (
        ("bvit_engine_vector", vector), ("bvit_engine_rule", rule), ("bvit_engine_mover", mover),
        ("bvit_engine_matrix", {"one": 1, "token": tokens, "row": rows, "sum": tokens * rows}),
        ("bvit_engine_core", core),
    ):  # fmt: skip
        circuit = "Engine" + name.removeprefix("bvit_engine_").title()
        terms[name] = CostTerms(
            circuit=circuit, lut=counts, ff=counts, exact=Resources(dsp=dsps.get(name, 0)), whole=True
        )  # fmt: skip
    return terms


def modelled(target: Target) -> bool:
    """Whether the target's table has the coefficients of an engine."""
    return "EngineCore" in target.coefficients


def engine_resources(config: EngineConfig, target: Target) -> Resources:
    """LUTs, flip-flops, memories and DSPs of the whole engine; BoardError for a target without its coefficients."""
    memories = target.memories
    found = Resources(
        dsp=OTHER_DSPS - 1, bram18=sum(memory_halves(config, memories).values()), uram=ultra_blocks(config, memories)
    )
    for terms in unit_terms(config).values():
        found += target.weigh(terms)
    return found
