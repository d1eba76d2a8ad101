"""Mutations of rtl/ made from its syntax tree, and the benches run against them; see README.md in sim/."""
