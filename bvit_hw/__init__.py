"""bvit-hw: from a trained BinaryViT to an FPGA accelerator, with the same integers at every level."""

__version__ = "0.1.0"
