"""Between the hardware graph and FINN: operators as nodes of an ONNX graph, lowering to them, their FINN classes."""
