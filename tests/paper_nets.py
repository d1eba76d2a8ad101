"""Networks of the plain second implementation with settled statistics, and a strategy that draws their sizes."""

from __future__ import annotations

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from benchmarks.plain_binaryvit import PlainBinaryViT, PlainSizes
from bvit_hw.models import BinaryViTConfig

torch.set_num_threads(1)

_SHIFTS = ("move", "moveq", "movek", "movev", "mover", "move1", "move2", "moveq2", "movek2", "movev2")


def settled(sizes: PlainSizes, seed: int, images: int = 4) -> tuple[PlainBinaryViT, Tensor]:
    """A network in eval mode whose every parameter is drawn and whose norms have seen images, and two more images."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    network = PlainBinaryViT(sizes)

    def draw(shape: torch.Size | tuple[int, ...]) -> Tensor:
        return torch.randn(shape, generator=generator)

    with torch.no_grad():
        for name, parameter in network.named_parameters():
            noise = draw(parameter.shape)
            if name.endswith(_SHIFTS) or name.endswith(("bias", "cls_token", "position_embeddings")):
                parameter.copy_(0.2 * noise)
            elif name.endswith("alpha"):
                parameter.copy_(0.2 + 0.2 * noise)
            elif name.endswith("prelu.weight"):
                parameter.copy_(0.25 + 0.2 * noise)
            elif name.endswith("att_prob_clip"):
                parameter.copy_((0.05 + 0.02 * noise).abs())
            elif "norm" in name:
                parameter.copy_(1 + 0.3 * noise)
        for module in network.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.momentum = None
        shape = (images, sizes.in_channels, sizes.image_size, sizes.image_size)
        network.train()
        for _ in range(2):
            network(draw(shape))
    return network.eval(), draw((2, *shape[1:]))


@st.composite
def sizes_strategy(draw: st.DrawFn) -> PlainSizes:
    """Pyramids of one to four stages, and plain ViTs with and without class token."""
    stages = draw(st.integers(1, 4))
    class_token = stages == 1 and draw(st.booleans())
    patch = draw(st.sampled_from([2, 4]))
    side = draw(st.integers(1, 3 if stages < 3 else 1)) << (stages - 1)
    channels = [draw(st.sampled_from([4, 6, 12]))]
    for _ in range(1, stages):
        channels.append(channels[-1] * draw(st.sampled_from([2, 3])))
    sides = [side >> stage for stage in range(stages)]
    return PlainSizes(
        image_size=side * patch,
        patch_size=patch,
        in_channels=draw(st.sampled_from([1, 3])),
        channels=tuple(channels),
        depths=tuple(draw(st.integers(1, 2)) for _ in channels),
        heads=tuple(draw(st.sampled_from([h for h in (1, 2, 3, 4) if c % h == 0])) for c in channels),
        mlp_widths=tuple(c * draw(st.integers(1, 3)) for c in channels),
        reductions=(1,) if class_token else tuple(
            draw(st.sampled_from([r for r in (1, 2, 3, 4) if s % r == 0])) for s in sides
        ),
        classes=draw(st.sampled_from([2, 10, 17])),
        some_fp=stages > 1 and draw(st.booleans()),
        stem_norm=draw(st.booleans()),
        class_token=class_token,
        pool_branches=not class_token and draw(st.booleans()),
        affine=draw(st.booleans()),
    )  # fmt: skip


def plain_sizes(config: BinaryViTConfig) -> dict[str, object]:
    """The sizes of a configuration in the plain implementation's words."""
    names = ("image_size", "channels", "depths", "heads", "mlp_widths", "reductions", "classes", "patch_size")
    names += ("in_channels", "stem_norm", "class_token", "pool_branches", "affine")
    return {name: getattr(config, name) for name in names} | {"some_fp": config.full_precision_merges}
