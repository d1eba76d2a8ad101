"""Whole networks of random configurations, from the frozen network to RTL logits; see ../fuzz_networks.py."""
