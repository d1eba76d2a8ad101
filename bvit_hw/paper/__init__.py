"""The paper's checkpoints: their configuration read from the shapes of their tensors, their parameters taken over."""

from bvit_hw.paper.state import from_paper_state, load_paper_checkpoint, to_paper_state

__all__ = ["from_paper_state", "load_paper_checkpoint", "to_paper_state"]
