"""`python -m bvit_hw.cli`, as torchrun starts it."""

from bvit_hw.cli.group import main

main()
