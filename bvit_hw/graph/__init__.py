"""From a QONNX graph to a folded, sized hardware graph: passes (one a file), folding, FIFO sizing."""
