"""Home of our QONNX operator. Files name its domain, bvit_hw.export.ops, and qonnx imports the module so called."""
