"""From a hardware graph to files: the stitched SystemVerilog, its memories and its file list."""
