"""The network: variants, modes, names, what quantized evaluation promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bvit_hw.contract.attention_rule import attended, threshold_integer
from bvit_hw.errors import ConfigError
from bvit_hw.models import PRESETS, BinaryViT, BinaryViTConfig, preset
from bvit_hw.models.blocks import Attention
from bvit_hw.models.quant import ActQuant

SMALL: dict[str, Any] = {
    "image_size": 16,
    "channels": (8, 16),
    "depths": (1, 2),
    "heads": (2, 2),
    "mlp_widths": (16, 32),
    "reductions": (2, 1),
    "classes": 5,
}
PLAIN: dict[str, Any] = {
    "image_size": 16,
    "channels": (16,),
    "depths": (2,),
    "heads": (2,),
    "mlp_widths": (48,),
    "reductions": (1,),
    "classes": 5,
    "stem_norm": False,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "pyramid": SMALL,
    "some-fp": SMALL | {"full_precision_merges": True},
    "baseline": PLAIN | {"class_token": True, "pool_branches": False, "affine": False},
    "avg_pool": PLAIN | {"pool_branches": False, "affine": False},
    "multi_branch": PLAIN | {"affine": False},
    "affine": PLAIN,
    "odd sizes": SMALL | {"in_channels": 1, "mean": (0.2,), "std": (0.3,), "act_bits": 5, "residual_bits": 10},
}


def images(config: BinaryViTConfig, count: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, config.in_channels, config.image_size, config.image_size, generator=generator)


def trained(config: BinaryViTConfig) -> BinaryViT:
    """A network with statistics that are not the initial ones, calibrated."""
    torch.manual_seed(1)
    model = BinaryViT(config).train()
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data += 0.1 * torch.randn_like(parameter)
    for seed in range(3):
        model(images(config, 16, seed))
    return model.eval().calibrate([images(config, 16, seed=7)])


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_of_every_variant_trains_in_both_modes(variant: str) -> None:
    config = BinaryViTConfig.create(**VARIANTS[variant])
    model = trained(config).train()
    for mode in ("float", "quant"):
        model.zero_grad(set_to_none=True)
        logits = model.set_mode(mode)(images(config))
        assert logits.shape == (6, 5)
        logits.square().sum().backward()
        trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
        assert len(trainable) > 40
        for name, parameter in trainable.items():
            assert parameter.grad is not None and torch.isfinite(parameter.grad).all(), f"{mode}: {name}"


@pytest.mark.parametrize("variant", VARIANTS)
def test_quantized_tensors_are_integers_of_their_width(variant: str) -> None:
    config = BinaryViTConfig.create(**VARIANTS[variant])
    model = trained(config)
    quantizers = model.act_quantizers()
    traced = model.trace(images(config))
    assert set(traced) == set(quantizers) | {"logits"}
    for name, quantizer in quantizers.items():
        integers = traced[name] * 2.0**-quantizer.exponent
        assert torch.equal(integers, integers.round()), name
        high = 2 ** (quantizer.bits - 1)
        assert integers.min() >= -high and integers.max() < high, name
        assert len(integers.unique()) > 1, name
        residual = name == "stem.x" or name.endswith((".x", ".y"))
        assert quantizer.bits == (config.residual_bits if residual else config.act_bits), name


def test_every_quantizer_of_the_preset_has_its_contract_name() -> None:
    model = BinaryViT(preset("tiny-digits"))
    named = model.act_quantizers()
    assert {id(q) for q in named.values()} == {id(m) for m in model.modules() if isinstance(m, ActQuant)}
    assert all(quantizer.tensor_name == name for name, quantizer in named.items())
    block = ["h", "q", "k", "v", "ctx", "o", "y", "h2", "f", "z", "p", "x"]
    expected = {f"b{i}.{part}" for i in range(5) for part in block} | {"b0.g", "b1.g"}
    expected |= {f"t{i}.{part}" for i in (1, 2, 3) for part in ("h", "x")} | {"stem.x", "head.f"}
    assert set(named) == expected


def test_quantized_attention_follows_the_integer_row_rule() -> None:
    config = BinaryViTConfig.create(**SMALL | {"heads": (1, 1), "channels": (16, 32), "mlp_widths": (32, 64)})
    attention = Attention(config, 0).eval()
    attention.quant_ctx.mode = "quant"
    rng = np.random.default_rng(0)
    equal = rng.integers(0, 17, (2, 1, 16, 4))
    for t in (0.3, 0.5, 0.9, 1.9):
        attention.clip.data.fill_(t)
        found = attention._probabilities(torch.from_numpy(2 * equal - 16).float())
        expected = attended(equal, attention.table.numpy(), threshold_integer(float(np.float32(t))))
        assert np.array_equal(found.detach().numpy() > 0, expected)
        assert set(found.unique().tolist()) <= {0.0, float(np.float32(t))}


def test_fine_quantization_comes_close_to_the_float_residual_model() -> None:
    """With 12 bits what remains is a flipped sign here and there: outputs correlate, and are not the same object."""
    config = BinaryViTConfig.create(**SMALL | {"act_bits": 12, "residual_bits": 12})
    model = trained(config)
    batch = images(config, 64)
    with torch.no_grad():
        quantized, exact = model(batch), model.set_mode("float")(batch)
    assert not torch.equal(quantized, exact)
    correlation = torch.corrcoef(torch.stack((quantized.flatten(), exact.flatten())))[0, 1]
    assert correlation > 0.95


def test_evaluation_does_not_depend_on_the_batch() -> None:
    config = BinaryViTConfig.create(**SMALL)
    model = trained(config)
    batch = images(config)
    with torch.no_grad():
        together = model(batch)
        single = torch.cat([model(image[None]) for image in batch])
    assert torch.allclose(together, single, atol=1e-5)


def test_quant_mode_needs_calibration_and_inputs_are_checked() -> None:
    model = BinaryViT(BinaryViTConfig.create(**SMALL))
    with pytest.raises(ConfigError, match="calibrate"):
        model.set_mode("quant")
    with pytest.raises(ConfigError, match="saw no data"):
        model.calibrate([])
    with pytest.raises(ConfigError, match="allowed: float, observe, quant"):
        model.set_mode("int8")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"\(1, 3, 8, 8\) given"):
        model(torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": (3, 2)}, "heads=3 does not divide channels=8"),
        ({"mlp_widths": (20, 32)}, "mlp_widths=20 is no multiple"),
        ({"depths": (1,)}, "1 entries"),
        ({"reductions": (3, 1)}, "does not divide the side 4"),
        ({"image_size": 20}, "image_size=20 must be a multiple of 8"),
        ({"channels": (8, 12), "mlp_widths": (16, 24)}, "channels=12 is no multiple"),
        ({"class_token": True}, "class_token"),
        ({"act_bits": 1}, "act_bits"),
        ({"mean": (0.5,)}, "mean"),
        ({"colour": 3}, "colour"),
    ],
)
def test_impossible_sizes_are_refused_with_a_reason(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        BinaryViTConfig.create(**SMALL | change)


def test_presets_are_named_in_the_error() -> None:
    assert preset("tiny-digits") is PRESETS["tiny-digits"]
    with pytest.raises(ConfigError, match=", ".join(PRESETS)):
        preset("huge")
