"""Frozen networks executed: in PyTorch (frozen), there as compiled kernels (fused), with bits packed (packed)."""
