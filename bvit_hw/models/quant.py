"""Fixed-point quantizers with one power-of-two scale a tensor, on Brevitas.

Every quantizer has a Brevitas ``QuantIdentity`` inside, an ``exponent`` (scale = 2**exponent) and ``bits``. It works in
one of three modes: ``float`` passes values through, ``observe`` does so too and collects what each exponent would cost,
``quant`` rounds and saturates with straight-through gradients.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn

from bvit_hw.errors import ConfigError
from bvit_hw.models.brevitas_quietly import Int8ActPerTensorFixedPoint, ScalingImplType, qnn
from bvit_hw.models.elementwise import fixed_point

Mode = Literal["float", "observe", "quant"]
MODES: tuple[str, ...] = get_args(Mode)

#: exponents tried by calibration
_CANDIDATES = range(-16, 5)


class _PowerOfTwoQuant(Int8ActPerTensorFixedPoint):
    """Signed fixed point whose log2 threshold is one parameter, set by calibration rather than by statistics."""

    scaling_impl_type = ScalingImplType.PARAMETER
    scaling_init = 1.0


class FixedPointQuant(nn.Module):
    """INT``bits`` signed quantizer of a whole tensor: round(x / 2**exponent), saturated, times 2**exponent."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits
        self.mode: Mode = "float"
        if torch.get_default_device().type == "meta":
            # A network of shapes alone, which computes nothing: Brevitas' parameters cannot do without values.
            return
        self.impl = qnn.QuantIdentity(act_quant=_PowerOfTwoQuant, bit_width=bits, return_quant_tensor=False)
        # Brevitas keeps the logarithm of the threshold 2**(exponent + bits - 1). Calibration sets it, no gradient does;
        # loading a state makes Brevitas create the parameter anew.
        self._fix_threshold(self)
        self.register_load_state_dict_post_hook(self._fix_threshold)

    @staticmethod
    def _fix_threshold(module: FixedPointQuant, *_keys: object) -> None:
        module._threshold().requires_grad_(False)

    def _threshold(self) -> nn.Parameter:
        return self.impl.act_quant.fused_activation_quant_proxy.tensor_quant.scaling_impl.value

    @property
    def exponent(self) -> int:
        """Exponent of the scale: real value = integer * 2**exponent."""
        return round(self._threshold().item()) - (self.bits - 1)

    @exponent.setter
    def exponent(self, value: int) -> None:
        with torch.no_grad():
            self._threshold().fill_(value + self.bits - 1)

    def to_int(self, x: Tensor) -> Tensor:
        """The integers (int64) of a tensor that this quantizer's output equals, half rounded up."""
        high = 2 ** (self.bits - 1)
        return torch.floor(x * 2.0**-self.exponent + 0.5).clamp(-high, high - 1).to(torch.int64)

    def forward(self, x: Tensor) -> Tensor:
        if self.mode != "quant":
            return x
        if self.training:
            return fixed_point(x, self.step(), self.bits)
        return self.impl(x)

    def step(self) -> Tensor:
        """2**exponent as a tensor."""
        # A power as Brevitas takes it: exp2 would be compiled by NVRTC on a GPU.
        return 2.0 ** (self._threshold().detach() - (self.bits - 1))


class ActQuant(FixedPointQuant):
    """Quantizer of an activation; its exponent is the one of least squared error over the calibration data.

    ``tensor_name`` is the tensor's name in docs/contract.md, for example ``b0.q``.
    """

    def __init__(self, bits: int) -> None:
        super().__init__(bits)
        self.tensor_name = ""
        #: how many values of a batch are looked at; all by default
        self.sample: int | None = None
        self._errors: Tensor | None = None

    @torch.no_grad()
    def _observe(self, x: Tensor) -> None:
        if self.sample is not None and x.numel() > self.sample:
            # An odd stride meets every channel, of which there are mostly a power of two.
            x = x.flatten()[:: x.numel() // self.sample | 1]
        high = 2 ** (self.bits - 1)
        errors = []
        for exponent in _CANDIDATES:
            rounded = (x * 2.0**-exponent).round().clamp(-high, high - 1) * 2.0**exponent
            errors.append((rounded - x).square().sum(dtype=torch.float64))
        total = torch.stack(errors)
        self._errors = total if self._errors is None else self._errors + total

    def finish_calibration(self) -> None:
        """Fix the exponent from what was observed; nothing observed raises :class:`ConfigError`."""
        if self._errors is None:
            raise ConfigError(f"{self.tensor_name or 'quantizer'}: calibration saw no data; pass at least one batch")
        self.exponent = _CANDIDATES[int(self._errors.argmin())]
        self._errors = None

    def forward(self, x: Tensor) -> Tensor:
        if self.mode == "observe":
            self._observe(x)
        return super().forward(x)


class WeightQuant(FixedPointQuant):
    """Quantizer of a weight tensor; its exponent always follows from the tensor's largest magnitude."""

    @torch.no_grad()
    def fit(self, weight: Tensor) -> None:
        """Set the smallest exponent that does not saturate ``weight`` by more than half a step, 0 for zeros."""
        peak = weight.abs().max()
        limit = 2 ** (self.bits - 1) - 0.5
        # In tensors throughout: nobody waits for a GPU to have got here.
        exponent = torch.where(peak > 0, torch.ceil(torch.log2(peak / limit)), 0)
        self._threshold().copy_(exponent + (self.bits - 1))

    def integers(self, weight: Tensor) -> tuple[np.ndarray, int]:
        """The integers of ``weight`` and their exponent, for freezing."""
        self.fit(weight)
        return self.to_int(weight).cpu().numpy(), self.exponent

    def forward(self, weight: Tensor) -> Tensor:
        if self.mode != "quant":
            return weight
        self.fit(weight)
        return super().forward(weight)
