"""What stands for what is not here: Vivado, Vitis, a board, an Alveo card, a GPU; reports typed after theirs."""
