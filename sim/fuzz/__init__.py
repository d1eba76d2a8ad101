"""Whole networks of random configurations, from the frozen network to the logits of the RTL; see ../fuzz_networks.py."""
