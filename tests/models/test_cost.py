"""`bvit-hw models`: the counts of every network against the figures that are known of it."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner

from bvit_hw.cli import cli
from bvit_hw.models import PRESETS, BinaryViT
from bvit_hw.models import cost as cost_module
from bvit_hw.models.cost import NetworkCost, all_costs, network_cost, teacher_cost
from bvit_hw.models.presets import NAMES
from bvit_hw.models.teacher import TEACHER, teacher_network
from tests import network_counter
from tests.frozen_factory import CONFIGS

#: parameters in millions of the ablation's rows and of DeiT-S, as published
PARAMETERS = {
    "deit-baseline": 22.29,
    "deit-avg_pool": 22.29,
    "deit-multi_branch": 22.33,
    "deit-affine": 22.35,
    "deit-s-teacher": 22.05,
}


@pytest.fixture(scope="module")
def costs() -> dict[str, NetworkCost]:
    return {cost.name: cost for cost in all_costs()}


def test_every_preset_and_the_teacher_are_there(costs: dict[str, NetworkCost]) -> None:
    assert list(costs) == [*PRESETS, "deit-s-teacher"] and tuple(PRESETS) == NAMES
    assert all(cost.summary for cost in costs.values())


def test_parameters_of_the_ablation_are_the_published_ones(costs: dict[str, NetworkCost]) -> None:
    assert {name: round(costs[name].parameters / 1e6, 2) for name in PARAMETERS} == PARAMETERS


def test_small_224_costs_what_is_known_of_it(costs: dict[str, NetworkCost]) -> None:
    """22.5 M parameters, 21.2 M of them binary; 3.56 G binary MACs, 0.27 G in attention, 10 M at higher precision."""
    small = costs["small-224"]
    assert round(small.parameters / 1e6, 1) == 22.5 and round(small.binary_mbit, 1) == 21.2
    assert round(small.binary_macs / 1e9, 2) == 3.56 and round(small.attention_macs / 1e9, 2) == 0.27
    # The stem's 56 x 56 patches of 4 x 4 x 3 pixels to 64 channels, and the classifier.
    assert small.other_macs == 56 * 56 * 48 * 64 + 512 * 1000
    tiny = costs["tiny-digits"]
    assert round(tiny.binary_mbit, 2) == 1.42 and round(tiny.binary_macs / 1e6, 1) == 4.1


def test_some_fp_moves_the_patch_merges_to_higher_precision(costs: dict[str, NetworkCost]) -> None:
    binary, some_fp = costs["small-224"], costs["small-224-some-fp"]
    merges = {"weights": 0, "macs": 0}
    for side, channels in ((28, 64), (14, 128), (7, 256)):
        weights = 4 * channels * 2 * channels
        merges["weights"] += weights
        merges["macs"] += side * side * weights
    assert binary.binary_weights - some_fp.binary_weights == merges["weights"]
    assert some_fp.other_macs - binary.other_macs == binary.binary_macs - some_fp.binary_macs == merges["macs"]


def test_the_class_token_is_one_more_query_and_key(costs: dict[str, NetworkCost]) -> None:
    with_token, without = costs["deit-baseline"], costs["deit-avg_pool"]
    assert with_token.attention_macs * 196**2 == without.attention_macs * 197**2
    assert with_token.binary_macs * 196 == without.binary_macs * 197
    # DeiT-S is known as 4.6 G multiply-accumulates, none of them binary.
    teacher = costs["deit-s-teacher"]
    assert round((teacher.other_macs + teacher.attention_macs) / 1e9, 1) == 4.6
    assert teacher.binary_macs == teacher.binary_weights == 0


@pytest.mark.parametrize("name", CONFIGS)
def test_counts_follow_from_the_sizes(name: str) -> None:
    """Written out by hand from the configuration's sizes, for networks that nobody published."""
    config = CONFIGS[name]
    linear = attention = weights = 0
    for stage in config.block_stages:
        c, f, n, r = config.channels[stage], config.mlp_widths[stage], config.tokens(stage), config.reductions[stage]
        m = n // r**2
        own = [(c * c, n), (c * c, m), (c * c, m), (c * c, n), (c * f, n), (f * c, n)]
        own += [(c * c, m)] if r > 1 else []
        weights += sum(size for size, _ in own)
        linear += sum(size * tokens for size, tokens in own)
        attention += 2 * n * m * c
    other = config.side(0) ** 2 * config.patch_size**2 * 3 * config.channels[0] + config.channels[-1] * config.classes
    for stage in range(1, config.stages):
        size = 4 * config.channels[stage - 1] * config.channels[stage]
        if config.full_precision_merges:
            other += size * config.tokens(stage)
        else:
            weights += size
            linear += size * config.tokens(stage)
    cost = network_cost(name, config)
    assert (cost.binary_weights, cost.binary_macs, cost.attention_macs) == (weights, linear, attention)
    assert cost.other_macs == other
    assert cost.parameters == sum(p.numel() for p in BinaryViT(config).parameters() if p.requires_grad)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_cost_what_their_networks_do(costs: dict[str, NetworkCost], name: str) -> None:
    assert network_counter.count_network(name, PRESETS[name], costs[name].summary) == costs[name]


@pytest.mark.parametrize("full_precision", [False, True])
@pytest.mark.parametrize("name", CONFIGS)
def test_other_networks_do_as_well(name: str, full_precision: bool) -> None:
    config = CONFIGS[name].model_copy(update={"full_precision": full_precision})
    assert network_counter.count_network(name, config) == network_cost(name, config)


def test_the_teacher_costs_what_timms_network_does() -> None:
    cost = teacher_cost()
    assert network_counter.count(cost.name, cost.summary, teacher_network(), (3, 224, 224)) == cost
    assert TEACHER in cost.summary


def test_one_block_a_stage_stands_for_all() -> None:
    config = CONFIGS["pyramid"].model_copy(update={"depths": (3, 2)})
    whole = network_counter.count("x", "", BinaryViT(config), (3, config.image_size, config.image_size))
    assert network_counter.count_network("x", config) == network_cost("x", config) == whole


def test_command_prints_a_table_and_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_module, "NAMES", ("tiny-digits",))
    table = CliRunner().invoke(cli, ["models"])
    assert table.exit_code == 0, table.output
    head, tiny, teacher = table.stdout.splitlines()
    assert head.split()[:3] == ["model", "params", "M"]
    assert tiny.split()[:6] == ["tiny-digits", "1.48", "1.42", "4.12", "0.03", "0.10"]
    assert teacher.split()[:3] == ["deit-s-teacher", "22.05", "0.00"]
    rows = json.loads(CliRunner().invoke(cli, ["models", "--json"]).stdout)
    assert rows[0]["binary_weights"] == 1_418_240 and rows[1]["name"] == "deit-s-teacher"


def test_counting_computes_nothing() -> None:
    """A model on the meta device has no values, so that the largest network is counted in no memory."""
    network = BinaryViT(CONFIGS["pyramid"])
    network_counter.count("x", "", network, (3, 16, 16))
    assert all(p.device == torch.device("meta") for p in network.parameters())
