"""Flows around external tools, one tool a file; every program runs through :func:`bvit_hw.flows.tool.run_tool`."""
